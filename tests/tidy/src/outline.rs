//! What the rules need to know of a Rust file: its functions, and which of its lines are tests.

use std::ops::RangeInclusive;

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Attribute, Block, FnArg, Meta, Signature, Token};

use crate::Offence;
use crate::tree::TextFile;

/// The shape of one Rust file.
#[derive(Clone, Debug, Default)]
pub struct Outline {
    pub functions: Vec<Function>,
    /// Lines that are compiled for tests only.
    tests: Vec<RangeInclusive<usize>>,
    /// Modules in files of their own that are compiled for tests only.
    pub test_modules: Vec<String>,
}

/// One function with a body, wherever it stands: free, method, nested, or written in a macro call.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Function {
    pub name: String,
    /// Where the signature begins.
    pub line: usize,
    /// From the signature to the closing brace, both counted.
    pub lines: usize,
    /// Without `self`. Not known, and so zero, for a function that a macro call writes.
    pub parameters: usize,
}

impl Outline {
    /// Parses `file`, or says where that fails.
    ///
    /// # Errors
    ///
    /// The text is not Rust.
    pub fn of(file: &TextFile) -> Result<Self, Offence> {
        let parsed = syn::parse_file(&file.text).map_err(|error| Offence {
            path: file.path.clone(),
            line: error.span().start().line,
            wrong: format!("this does not parse: {error}"),
            remedy: "make `cargo check` pass first",
        })?;
        let mut outline = Self::default();
        outline.visit_file(&parsed);
        Ok(outline)
    }

    pub fn is_test(&self, line: usize) -> bool {
        self.tests.iter().any(|lines| lines.contains(&line))
    }

    fn function(&mut self, sig: &Signature, body: &Block) {
        let first = sig.span().start().line;
        let typed = sig.inputs.iter().filter(|input| matches!(input, FnArg::Typed(_)));
        self.functions.push(Function {
            name: sig.ident.to_string(),
            line: first,
            lines: body.brace_token.span.close().end().line - first + 1,
            parameters: typed.count(),
        });
    }

    fn mark_if_test(&mut self, attrs: &[Attribute], span: Span) {
        if attrs.iter().any(is_for_tests) {
            self.tests.push(span.start().line..=span.end().line);
        }
    }

    /// Finds functions among tokens that are not parsed: macro calls and macro rules. What looks
    /// like `fn name … { … }` is one.
    fn functions_in(&mut self, tokens: TokenStream) {
        let mut begun: Option<(String, usize)> = None;
        let mut after_fn: Option<usize> = None;
        for tree in tokens {
            match tree {
                TokenTree::Ident(word) if word == "fn" => {
                    after_fn = Some(word.span().start().line);
                }
                TokenTree::Ident(word) => {
                    if let Some(line) = after_fn.take() {
                        begun = Some((word.to_string(), line));
                    }
                }
                TokenTree::Group(group) => {
                    // `fn(u8)` is a type, and has no name.
                    after_fn = None;
                    if group.delimiter() == Delimiter::Brace
                        && let Some((name, line)) = begun.take()
                    {
                        let lines = group.span_close().end().line - line + 1;
                        self.functions.push(Function { name, line, lines, parameters: 0 });
                    }
                    self.functions_in(group.stream());
                }
                TokenTree::Punct(mark) if mark.as_char() == ';' => begun = None,
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
    }
}

impl Visit<'_> for Outline {
    fn visit_item_fn(&mut self, item: &syn::ItemFn) {
        self.function(&item.sig, &item.block);
        self.mark_if_test(&item.attrs, item.span());
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &syn::ImplItemFn) {
        self.function(&item.sig, &item.block);
        self.mark_if_test(&item.attrs, item.span());
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &syn::TraitItemFn) {
        if let Some(body) = &item.default {
            self.function(&item.sig, body);
        }
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_item_impl(&mut self, item: &syn::ItemImpl) {
        self.mark_if_test(&item.attrs, item.span());
        visit::visit_item_impl(self, item);
    }

    fn visit_item_mod(&mut self, item: &syn::ItemMod) {
        self.mark_if_test(&item.attrs, item.span());
        if item.content.is_none() && item.attrs.iter().any(is_for_tests) {
            self.test_modules.push(item.ident.to_string());
        }
        visit::visit_item_mod(self, item);
    }

    fn visit_macro(&mut self, call: &syn::Macro) {
        self.functions_in(call.tokens.clone());
        visit::visit_macro(self, call);
    }
}

/// `#[test]`, `#[tokio::test]`, `#[cfg(test)]` and `#[cfg(all(test, …))]`.
fn is_for_tests(attribute: &Attribute) -> bool {
    let path = attribute.path();
    if path.segments.last().is_some_and(|last| last.ident == "test") {
        return true;
    }
    path.is_ident("cfg") && attribute.parse_args::<Meta>().is_ok_and(|meta| needs_test(&meta))
}

fn needs_test(meta: &Meta) -> bool {
    match meta {
        Meta::Path(path) => path.is_ident("test"),
        Meta::List(list) if list.path.is_ident("all") => list
            .parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)
            .is_ok_and(|members| members.iter().any(needs_test)),
        Meta::List(_) | Meta::NameValue(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outline(text: &str) -> Outline {
        let file = TextFile { path: "a.rs".into(), text: text.into() };
        Outline::of(&file).unwrap()
    }

    #[test]
    fn functions_are_found_wherever_they_stand() {
        #[rustfmt::skip]
        let cases = [
            // Why                       Text                             Name, line, lines, inputs
            ("a free function",          "\npub fn a(\n    b: u8,\n) {\n}",    "a 2 4 1"),
            ("attributes do not count",  "#[inline]\n/// Doc.\nfn a() {}",     "a 3 1 0"),
            ("self is not a parameter",  "impl A {\nfn a(&self, b: B) {}\n}",  "a 2 1 1"),
            ("a trait's default",        "trait A {\nfn a();\nfn b() {}\n}",   "b 3 1 0"),
            ("one inside another",       "fn a() {\nfn b() {}\n}",             "a 1 3 0, b 2 1 0"),
            ("a closure is none",        "fn a() {\nlet b = || {};\n}",        "a 1 3 0"),
            ("in a macro call",          "m! {\nfn a(b in c) {\n}\n}",         "a 2 2 0"),
            ("in macro rules",           "macro_rules! m { () => { fn $a() {} } }", "a 1 1 0"),
            ("a type in a call is none", "m! { fn(u8), A { b: 1 } }",          ""),
        ];
        for (why, text, want) in cases {
            let found = outline(text).functions.into_iter().map(|function| {
                let Function { name, line, lines, parameters } = function;
                format!("{name} {line} {lines} {parameters}")
            });
            assert_eq!(found.collect::<Vec<_>>().join(", "), want, "{why}");
        }
    }

    #[test]
    fn test_lines_are_told_from_others() {
        #[rustfmt::skip]
        let cases = [
            // Why                          Text                                    Test lines
            ("a test module",               "fn a() {}\n#[cfg(test)]\nmod t {\n}",  2..=4),
            ("a test alone",                "\n#[test]\nfn a() {}\n",               2..=3),
            ("a test of a runtime",         "\n#[tokio::test]\nasync fn a() {}\n",  2..=3),
            ("tests of one system",         "\n#[cfg(all(test, unix))]\nmod t {}",  2..=3),
            ("an impl for tests",           "\n#[cfg(test)]\nimpl A {}\n",          2..=3),
        ];
        for (why, text, want) in cases {
            let outline = outline(text);
            for line in 1..=5 {
                assert_eq!(outline.is_test(line), want.contains(&line), "{why}: line {line}");
            }
        }
        assert!(!outline("#[cfg(not(test))]\nmod a {}").is_test(2), "the contrary");
        assert!(!outline("#[cfg(any(test, unix))]\nmod a {}").is_test(2), "also without tests");
    }

    #[test]
    fn a_test_module_in_its_own_file_is_named() {
        assert_eq!(outline("#[cfg(test)]\nmod cases;\nmod other;").test_modules, ["cases"]);
    }

    #[test]
    fn what_is_not_rust_is_an_offence() {
        let file = TextFile { path: "a.rs".into(), text: "fn a() {}\nfn (".into() };
        let offence = Outline::of(&file).unwrap_err();
        assert_eq!((offence.path.as_str(), offence.line), ("a.rs", 2));
    }
}
