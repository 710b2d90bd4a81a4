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
        limited.extend(body.stream());
        let mut limited = Group::new(Delimiter::Brace, limited);
        limited.set_span(body.span());
        *body = limited;
    }
    let mut test = parse("#[::core::prelude::v1::test]");
    test.extend(tokens);
    test
}

fn parse(code: &str) -> TokenStream {
    code.parse().expect("the code above is Rust")
}
