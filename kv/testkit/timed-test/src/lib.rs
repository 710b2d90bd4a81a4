//! The attribute `test`, with a time limit for each test. Use it through `kv_testkit`.
#![forbid(unsafe_code)]

use proc_macro::{Delimiter, Group, TokenStream, TokenTree};

/// Marks a function as a test, as the built-in attribute does, and ends the process with the test's name if the test
/// takes too long: see `kv_testkit::TimeLimit`.
///
/// A line at the root of a test program gives every `#[test]` in it a limit:
///
/// ```ignore
/// #[macro_use]
/// extern crate kv_testkit;
/// ```
#[proc_macro_attribute]
pub fn test(_arguments: TokenStream, function: TokenStream) -> TokenStream {
    let mut tokens: Vec<TokenTree> = function.into_iter().collect();
    if let Some(TokenTree::Group(body)) = tokens.last_mut()
        && body.delimiter() == Delimiter::Brace
    {
        let mut limited = parse("let _limit = ::kv_testkit::TimeLimit::of_this_test();");
        // Within braces, so that its own `use` lines come first.
        limited.extend([TokenTree::Group(body.clone())]);
        *body = Group::new(Delimiter::Brace, limited);
    }
    let mut test = parse("#[::core::prelude::v1::test]");
    test.extend(tokens);
    test
}

fn parse(code: &str) -> TokenStream {
    code.parse().expect("the code above is Rust")
}
