//! `ebbtide import mosquitto`: what a Mosquitto broker was told, as a file for this one, and line by line what cannot be carried over.
//!
//! Nothing is left out in silence: each line of the files is taken over, means nothing here, or has a note with its number. What is
//! written can be used as it is, and decides about topics as the other broker did; the exceptions are in docs/from-mosquitto.md.

mod acl;
mod conf;
mod listeners;
mod passwords;
#[cfg(test)]
mod tests;
mod write;

use std::{
    fmt,
    path::{Path, PathBuf},
};

pub use self::write::file;

/// Why nothing can be imported.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {path}: {source}")]
pub struct ImportError {
    /// Which file.
    pub path: PathBuf,
    /// Why not.
    pub source: std::io::Error,
}

/// A line that says something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    file: String,
    /// Counted from 1.
    number: usize,
    text: String,
}

impl Line {
    /// Those of a file but for empty ones and comments.
    fn all(file: &str, text: &str) -> Vec<Self> {
        let lines = text.lines().enumerate().map(|(at, text)| Self {
            file: file.to_owned(),
            number: at + 1,
            text: text.trim().to_owned(),
        });
        lines
            .filter(|line| !line.text.is_empty() && !line.text.starts_with('#'))
            .collect()
    }

    /// Those of a file on the disk.
    fn read(path: &Path) -> Result<Vec<Self>, ImportError> {
        let text = std::fs::read_to_string(path).map_err(|source| ImportError {
            path: path.into(),
            source,
        })?;
        Ok(Self::all(&path.display().to_string(), &text))
    }
}

/// What the operator has to look at.
#[derive(Clone, Debug, Default)]
pub struct Notes(Vec<String>);

impl Notes {
    fn add(&mut self, line: &Line, text: impl fmt::Display) {
        self.0
            .push(format!("{}:{}: {text}", line.file, line.number));
    }

    /// About all of it.
    fn add_general(&mut self, text: impl Into<String>) {
        self.0.push(text.into());
    }

    /// In the order of the lines of each file.
    pub fn texts(&self) -> Vec<String> {
        self.0.clone()
    }
}

/// What was read, to be written down.
#[derive(Debug)]
pub struct Imported {
    settings: conf::Settings,
    users: Vec<passwords::Imported>,
    /// `None`: everybody who is in may do everything.
    rules: Option<Vec<ebbtide_api::Rule>>,
    /// What has to be looked at.
    pub notes: Notes,
}

/// Reads all of it. Files that are given here count instead of those that the first one names.
///
/// # Errors
/// One of the files cannot be read.
pub fn mosquitto(
    path: &Path,
    password_file: Option<&Path>,
    acl_file: Option<&Path>,
) -> Result<Imported, ImportError> {
    let mut notes = Notes::default();
    let mut settings = conf::read(path, &mut notes)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let named = |given: Option<&Path>, found: &Option<String>| {
        let found = found.as_ref().map(|name| found_in(folder, name));
        given.map(PathBuf::from).or(found)
    };
    let password_file = named(password_file, &settings.password_file);
    let acl_file = named(acl_file, &settings.acl_file);
    settings.has_users = password_file.is_some();
    let users = match password_file {
        Some(path) => passwords::users(&Line::read(&path)?, &mut notes),
        None => Vec::new(),
    };
    let rules = match acl_file {
        Some(path) => Some(acl::rules(&Line::read(&path)?, &mut notes)),
        None => None,
    };
    settings.conclude(rules.is_some(), &mut notes);
    let mut imported = Imported {
        settings,
        users,
        rules,
        notes,
    };
    if !write::is_open(&imported) {
        imported.notes.add_general(
            "nobody may use the HTTP API and the dashboard yet: give a user with a password `scopes = [\"admin\"]` before the first start \
             (and name `password` in `auth`)",
        );
    }
    Ok(imported)
}

/// A relative name is one of the folder that the broker was started in, which may be that of its file.
fn found_in(folder: &Path, name: &str) -> PathBuf {
    let beside = folder.join(name);
    match !Path::new(name).exists() && beside.exists() {
        true => beside,
        false => name.into(),
    }
}
