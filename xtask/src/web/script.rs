//! Moves the module script that Trunk writes into `index.html` to a file of its own.
//!
//! The broker serves the dashboard with `script-src 'self' 'wasm-unsafe-eval'`: an inline script would not run.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::Path;

use anyhow::{Context, Result, bail};

const OPENING: &str = "<script";
/// As written, and as Trunk's minifier leaves it.
const MODULE: [&str; 2] = ["type=\"module\"", "type=module"];
const CLOSING: &str = "</script>";

pub fn move_inline_modules_to_files(folder: &Path) -> Result<()> {
    let page = folder.join("index.html");
    let html = fs::read_to_string(&page).with_context(|| format!("reading {}", page.display()))?;
    let (html, scripts) = extract(&html)?;
    for (name, code) in scripts {
        fs::write(folder.join(&name), code).with_context(|| format!("writing {name}"))?;
    }
    fs::write(&page, html).with_context(|| format!("writing {}", page.display()))
}

/// The page without inline module scripts, and the files (name, code) that it now names instead.
fn extract(html: &str) -> Result<(String, Vec<(String, String)>)> {
    let mut page = String::with_capacity(html.len());
    let mut scripts = Vec::new();
    let mut rest = html;
    while let Some(start) = rest.find(OPENING) {
        let (before, script) = rest.split_at(start);
        let attributes_end = script.find('>').context("a <script> tag without its end")?;
        let close = script
            .find(CLOSING)
            .context("a <script> without </script>")?;
        let code = script[attributes_end + 1..close].trim();
        let tag = &script[..attributes_end + 1];
        page.push_str(before);
        if !code.is_empty() && !MODULE.iter().any(|module| tag.contains(module)) {
            bail!(
                "index.html has an inline script that is no module: the content security policy would block it"
            );
        }
        if code.is_empty() {
            page.push_str(&script[..close + CLOSING.len()]);
        } else {
            let mut hasher = DefaultHasher::new();
            code.hash(&mut hasher);
            let name = format!("start-{:016x}.js", hasher.finish());
            page.push_str(&format!(
                "<script type=\"module\" src=\"/{name}\">{CLOSING}"
            ));
            scripts.push((name, format!("{code}\n")));
        }
        if tag.contains("src=") && !code.is_empty() {
            bail!("a <script> with both a source and code");
        }
        rest = &script[close + CLOSING.len()..];
    }
    page.push_str(rest);
    Ok((page, scripts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inline_module_becomes_a_file_named_by_its_content() -> Result<()> {
        let (page, scripts) = extract(
            "<head><script type=\"module\" nonce=\"x\">\nimport init from '/a.js';\n</script></head>",
        )?;
        let [(name, code)] = &scripts[..] else {
            bail!("one script expected, got {scripts:?}")
        };
        assert_eq!(code, "import init from '/a.js';\n");
        assert_eq!(
            page,
            format!("<head><script type=\"module\" src=\"/{name}\"></script></head>")
        );
        assert!(name.starts_with("start-") && name.ends_with(".js"));
        Ok(())
    }

    #[test]
    fn a_minified_page_has_no_quotes() -> Result<()> {
        let (page, scripts) = extract("<script type=module>start()</script><title>x</title>")?;
        assert_eq!(scripts.len(), 1);
        assert!(page.ends_with("</script><title>x</title>") && !page.contains("start()"));
        Ok(())
    }

    #[test]
    fn a_script_file_stays_as_it_is() -> Result<()> {
        let html = "<script type=\"module\" src=\"/a.js\"></script>";
        assert_eq!(extract(html)?, (html.to_owned(), Vec::new()));
        Ok(())
    }

    #[test]
    fn other_inline_scripts_are_refused() {
        assert!(extract("<script>alert(1)</script>").is_err());
        assert!(extract("<script type=text/javascript>alert(1)</script>").is_err());
    }
}
