//! `cargo xtask sizes`: the numbers that docs/sizes-and-times.md cites. Run it on an otherwise idle machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::project::Project;
use crate::server::{self, Profile};
use crate::{args, tools, web};

/// How long the broker idles before its memory is read.
const SETTLE: Duration = Duration::from_secs(3);
/// Brotli at its best, as a web server would prepare it. Node has it built in.
const BROTLI: &str = "process.stdout.write(String(require('zlib').brotliCompressSync(require('fs').readFileSync(process.argv[1])).length))";

pub fn run(project: &Project, arguments: Vec<String>) -> Result<()> {
    args::only(&arguments, &[])?;
    let program = server::build(project, Profile::Release, &web::build(project)?)?;
    println!("| what | bytes | brotli |");
    println!("|---|---:|---:|");
    println!(
        "| `ebbtide`, release build with web assets | {} | |",
        fs::metadata(&program)?.len()
    );
    client(project)?;
    let folder = "dashboard";
    let mut bytes_total = 0;
    let mut brotli_total = 0;
    for file in transferred(&project.web().join(folder))? {
        let bytes = fs::metadata(&file)?.len();
        let brotli = brotli(project, &file)?;
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        println!("| {folder}: {} | {bytes} | {brotli} |", without_hash(&name));
        bytes_total += bytes;
        brotli_total += brotli;
    }
    println!("| **{folder}: all** | {bytes_total} | {brotli_total} |");
    println!(
        "| resident memory of an idle broker | {} | |",
        idle_memory(&program)?
    );
    Ok(())
}

/// The npm package and MQTT.js, bundled the same way.
fn client(project: &Project) -> Result<()> {
    let folder = project.root.join("tests/bundlers");
    tools::npm_install_locked(project, &folder, "MQTT.js, and what bundles both clients")?;
    let mut sizes = project.command("node");
    sizes
        .arg(folder.join("sizes.mjs"))
        .arg(project.web().join("pkg"));
    if !sizes.status()?.success() {
        bail!("the clients could not be measured");
    }
    Ok(())
}

/// What a browser fetches to run it.
fn transferred(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        let extension = path
            .extension()
            .and_then(|extension| extension.to_str())
            .unwrap_or_default();
        if path.is_file() && matches!(extension, "wasm" | "js" | "css" | "html") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn brotli(project: &Project, file: &Path) -> Result<u64> {
    let output = project
        .command("node")
        .args(["-e", BROTLI])
        .arg(file)
        .output()
        .context("starting node")?;
    if !output.status.success() {
        bail!(
            "compressing {}: {}",
            file.display(),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    String::from_utf8_lossy(&output.stdout)
        .trim()
        .parse()
        .context("a length from node")
}

/// `ebbtide-dashboard-0123456789abcdef_bg.wasm` → `ebbtide-dashboard_bg.wasm`: the names stay the same from build to build.
fn without_hash(name: &str) -> String {
    let is_hash = |part: &str| part.len() >= 12 && part.chars().all(|c| c.is_ascii_hexdigit());
    let mut kept = String::new();
    for part in name.split_inclusive(['-', '_', '.']) {
        let word = part.trim_end_matches(['-', '_', '.']);
        if is_hash(word) {
            kept.truncate(kept.trim_end_matches('-').len());
            kept.push_str(&part[word.len()..]);
        } else {
            kept.push_str(part);
        }
    }
    kept
}

fn idle_memory(program: &Path) -> Result<String> {
    let data = std::env::temp_dir().join(format!("ebbtide-sizes-{}", std::process::id()));
    let mut broker = Command::new(program)
        .args([
            "--mqtt",
            "127.0.0.1:0",
            "--http",
            "127.0.0.1:0",
            "--data-dir",
        ])
        .arg(&data)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("starting the broker")?;
    thread::sleep(SETTLE);
    let status = fs::read_to_string(format!("/proc/{}/status", broker.id()));
    broker.kill().ok();
    broker.wait().ok();
    fs::remove_dir_all(&data).ok();
    let Ok(status) = status else {
        return Ok("not measured: no /proc here".to_owned());
    };
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes: u64 = line
        .and_then(|line| line.split_whitespace().next())
        .context("VmRSS")?
        .parse()?;
    Ok((kilobytes * 1024).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_their_hash() {
        assert_eq!(
            without_hash("ebbtide-dashboard-3f1b2c4d5e6f7a8b_bg.wasm"),
            "ebbtide-dashboard_bg.wasm"
        );
        assert_eq!(without_hash("start-0123456789abcdef.js"), "start.js");
        assert_eq!(without_hash("index.html"), "index.html");
    }
}
