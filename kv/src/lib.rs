//! Page numbers only.
