//! Who cites what in a Rust file: its code, or a test in it.
//!
//! Reads lines, not syntax: what stands above a function in `///` belongs to that function, everything else to the
//! function that began last; `mod tests {` begins the tests of a file, and nothing comes after them.

use super::citation;

/// One citation.
#[derive(Debug, PartialEq, Eq)]
pub struct Cited<'a> {
    pub clause: &'a str,
    pub is_test: bool,
    /// The test function, if it is in one.
    pub function: Option<&'a str>,
}

const TEST_ATTRIBUTES: [&str; 3] = ["#[test]", "#[tokio::test", "#[wasm_bindgen_test"];

/// `is_test`: everything in the file is.
pub fn citations(text: &str, is_test: bool) -> Vec<Cited<'_>> {
    let mut found = Vec::new();
    let mut above = Vec::new();
    let mut is_test = is_test;
    let mut has_attribute = false;
    let mut function = None;
    for line in text.lines() {
        is_test |= line == "mod tests {";
        let words = line.trim_start();
        has_attribute |= TEST_ATTRIBUTES
            .iter()
            .any(|attribute| words.starts_with(attribute));
        if let Some(name) = function_name(words) {
            function = has_attribute.then_some(name);
            has_attribute = false;
            found.extend(above.drain(..).map(|clause| Cited {
                clause,
                is_test,
                function,
            }));
        }
        if words.starts_with("///") {
            above.extend(citation::find(line));
        } else {
            found.extend(citation::find(line).map(|clause| Cited {
                clause,
                is_test,
                function,
            }));
        }
    }
    // Above something that is no function, and none came after it.
    found.extend(above.into_iter().map(|clause| Cited {
        clause,
        is_test,
        function: None,
    }));
    found
}

fn function_name(line: &str) -> Option<&str> {
    let before = line.find("fn ")?;
    let is_head = line[..before]
        .split_whitespace()
        .all(|word| matches!(word, "async" | "const" | "unsafe") || word.starts_with("pub"));
    let name = line[before + "fn ".len()..].split(['(', '<']).next()?;
    is_head.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
        /// Goes [MQTT-1.1.1-1].\n\
        pub fn go() {}\n\
        fn come() {\n    // [MQTT-1.1.1-2]\n}\n\
        #[cfg(test)]\n\
        mod tests {\n\
        \x20   fn helper() {} // MQTT-1.1.1-3\n\
        \x20   /// [MQTT-1.1.1-4]\n\
        \x20   #[test]\n\
        \x20   fn it_goes() {\n        check(); // [MQTT-1.1.1-5]\n    }\n}\n";

    #[test]
    fn a_citation_belongs_to_the_code_or_to_a_test() {
        let code = |clause| Cited {
            clause,
            is_test: false,
            function: None,
        };
        let test = |clause, function| Cited {
            clause,
            is_test: true,
            function,
        };
        assert_eq!(
            citations(TEXT, false),
            [
                code("MQTT-1.1.1-1"),
                code("MQTT-1.1.1-2"),
                test("MQTT-1.1.1-3", None),
                test("MQTT-1.1.1-4", Some("it_goes")),
                test("MQTT-1.1.1-5", Some("it_goes")),
            ]
        );
    }

    #[test]
    fn in_a_file_of_tests_everything_is_a_test() {
        assert!(citations(TEXT, true).iter().all(|cited| cited.is_test));
    }

    #[test]
    fn a_function_begins_with_its_head() {
        assert_eq!(
            function_name("pub(super) async fn go<T>(it: T) {"),
            Some("go")
        );
        assert_eq!(function_name("let f: fn (u8) = go;"), None);
        assert_eq!(function_name("// the fn go(x)"), None);
    }
}
