//! On what a run was measured: a rate by itself says as much about the machine as about the broker. It is for a document, so it names
//! neither folders nor hosts.

use std::{env, fs, process::Command};

use anyhow::{Context, Result};

use super::{Peer, Plan};

/// Below this line of the document it stands, a line for all rows that have it in common.
const HEAD: &str =
    "What each row was measured on, by the name that selects it; the others as stated above:";

/// The machine, the commit, the day and the versions of the brokers.
pub fn of(plan: &Plan<'_>) -> String {
    let cores = std::thread::available_parallelism().ok();
    let parts = [
        said("date", &["-u", "+%F"]),
        commit(),
        Some(format!("`--seconds {}`", plan.seconds)),
        processor(),
        cores.map(|cores| format!("{cores} cores")),
        memory(),
        kernel(),
        file_system(),
        said("rustc", &["--version"]).and_then(|said| Some(said.split(" (").next()?.to_owned())),
    ];
    let version = |peer: &&Peer| Some(format!("{} {}", peer.name, peer.version()?));
    let versions = plan.peers.iter().copied().filter_map(|peer| version(&peer));
    let parts = parts.into_iter().flatten().chain(versions);
    parts.collect::<Vec<_>>().join(", ")
}

/// The document that says of these rows, by their names, what they were measured on.
///
/// # Errors
/// When it has no place for that.
pub fn with(document: &str, measured: &[(&str, &str)]) -> Result<String> {
    let lines: Vec<&str> = document.lines().collect();
    let head = lines.iter().position(|line| *line == HEAD);
    let head = head.with_context(|| format!("the document has no line `{HEAD}`"))?;
    let mut list: Vec<(Vec<&str>, &str)> = Vec::new();
    let mut end = head + 1;
    let known = lines.get(head + 2..).unwrap_or_default().iter();
    for line in known.map_while(|line| line.strip_prefix("- ")) {
        let (names, origin) = line.split_once(": ").context("names, and what of them")?;
        let names = names.split(", ").map(|name| name.trim_matches('`'));
        let is_new = |name: &&str| measured.iter().any(|(one, _)| one == name);
        list.push((names.filter(|name| !is_new(name)).collect(), origin));
        end += 1 + usize::from(list.len() == 1);
    }
    for (name, origin) in measured {
        match list.iter_mut().find(|(_, known)| known == origin) {
            Some((names, _)) => names.push(name),
            None => list.push((vec![name], origin)),
        }
    }
    let mut text = lines[..=head].join("\n") + "\n\n";
    for (names, origin) in list.iter().filter(|(names, _)| !names.is_empty()) {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        text += &format!("- {}: {origin}\n", names.join(", "));
    }
    for line in &lines[end..] {
        text += line;
        text.push('\n');
    }
    Ok(text)
}

fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let folder = env!("CARGO_MANIFEST_DIR");
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .output()
        .ok()?;
    let said = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !said.is_empty()).then_some(said)
}

fn commit() -> Option<String> {
    let commit = said("git", &["rev-parse", "--short", "HEAD"])?;
    Some(
        match said("git", &["status", "--porcelain", "--untracked-files=no"]) {
            None => format!("commit {commit}"),
            Some(_) => format!("commit {commit} and changes"),
        },
    )
}

fn processor() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(": ")?.1.to_owned())
}

fn memory() -> Option<String> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let kib: f64 = text
        .lines()
        .next()?
        .split_whitespace()
        .nth(1)?
        .parse()
        .ok()?;
    Some(format!("{:.0} GiB", kib / 1024.0 / 1024.0))
}

/// Its version; what a distribution adds to it is left out.
fn kernel() -> Option<String> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").ok()?;
    Some(format!("Linux {}", release.trim().split('-').next()?))
}

/// Where the brokers have their data.
fn file_system() -> Option<String> {
    let folder = env::temp_dir().canonicalize().ok()?;
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let mounts = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        Some((words.next()?, words.next()?))
    });
    let mounts = mounts.filter(|(place, _)| folder.starts_with(place));
    let (_, kind) = mounts.max_by_key(|(place, _)| place.len())?;
    Some(kind.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_with_what_they_were_measured_on_last() -> Result<()> {
        let empty = format!("Words.\n\n{HEAD}\n\nMore.\n");
        let once = with(&empty, &[("a", "here: one"), ("b", "here: one")])?;
        assert_eq!(
            once,
            empty.replace("\n\nMore", "\n\n- `a`, `b`: here: one\n\nMore")
        );
        let twice = with(&once, &[("a", "there")])?;
        let list = "\n\n- `b`: here: one\n- `a`: there\n\nMore";
        assert_eq!(twice, empty.replace("\n\nMore", list));
        let again = with(&twice, &[("b", "there")])?;
        assert_eq!(
            again,
            empty.replace("\n\nMore", "\n\n- `a`, `b`: there\n\nMore")
        );
        assert!(with("Words.\n", &[("a", "here")]).is_err());
        Ok(())
    }

    #[test]
    fn it_names_no_folder_and_no_host() {
        let origin = of(&Plan {
            peers: &[&super::super::ALL[0]],
            rows: &[],
            rounds: 1,
            seconds: 3.0,
            keep: None,
        });
        assert!(
            origin.contains("`--seconds 3`") && origin.contains("Ebbtide "),
            "{origin}"
        );
        let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let host = host.trim();
        assert!(
            !origin.contains('/') && (host.is_empty() || !origin.contains(host)),
            "{origin}"
        );
    }
}
