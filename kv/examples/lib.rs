//! Runs the programs of the repository's page.

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct RepositoryReadme;
