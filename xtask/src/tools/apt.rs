//! Programs of the system that the tests drive: real browsers and real MQTT clients. Installed by apt where that is possible
//! without asking anybody (as root, or by a sudo that wants no password); else named with the package that has them.

use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::progress;

/// A program that comes with a Debian package.
#[derive(Clone, Copy)]
pub struct SystemTool {
    /// Any of these names will do.
    programs: &'static [&'static str],
    package: &'static str,
}

impl SystemTool {
    pub const CADDY: Self = Self {
        programs: &["caddy"],
        package: "caddy",
    };
    pub const CHROMIUM: Self = Self {
        programs: &["chromium", "chromium-browser", "google-chrome"],
        package: "chromium",
    };
    pub const FAKETIME: Self = Self {
        programs: &["faketime"],
        package: "faketime",
    };
    pub const MOSQUITTO: Self = Self {
        programs: &["mosquitto"],
        package: "mosquitto",
    };
    pub const MOSQUITTO_CLIENTS: Self = Self {
        programs: &["mosquitto_pub"],
        package: "mosquitto-clients",
    };
    pub const NGINX: Self = Self {
        programs: &["nginx"],
        package: "nginx-light",
    };
    pub const VALGRIND: Self = Self {
        programs: &["valgrind"],
        package: "valgrind",
    };
    pub const NATS: Self = Self {
        programs: &["nats-server"],
        package: "nats-server",
    };

    /// Where the program is, if it is on PATH.
    pub fn find(self) -> Option<PathBuf> {
        let path = env::var_os("PATH")?;
        let directories: Vec<PathBuf> = env::split_paths(&path).collect();
        let places = self.programs.iter().flat_map(|program| {
            directories
                .iter()
                .map(move |directory| directory.join(program))
        });
        places.into_iter().find(|place| place.is_file())
    }
}

/// Installs what is missing. Returns a remedy for each program that is still missing afterwards.
pub fn ensure(tools: &[SystemTool]) -> Vec<String> {
    let missing: Vec<&SystemTool> = tools.iter().filter(|tool| tool.find().is_none()).collect();
    if missing.is_empty() {
        return Vec::new();
    }
    let packages: Vec<&str> = missing.iter().map(|tool| tool.package).collect();
    if let Err(error) = install(&packages) {
        eprintln!("    apt: {error:#}");
    }
    let still_missing = missing.into_iter().filter(|tool| tool.find().is_none());
    still_missing
        .map(|tool| {
            format!(
                "{} (try: apt-get install {})",
                tool.programs[0], tool.package
            )
        })
        .collect()
}

/// Installs packages unasked, or says why it cannot.
pub fn install(packages: &[&str]) -> anyhow::Result<()> {
    let Some(prefix) = privilege() else {
        anyhow::bail!(
            "cannot install {}: no apt-get, or neither root nor a sudo without password",
            packages.join(" ")
        );
    };
    let apt = |arguments: &[&str]| {
        let mut words: Vec<&str> = prefix.to_vec();
        words.extend([
            "env",
            "DEBIAN_FRONTEND=noninteractive",
            "apt-get",
            "-o",
            "DPkg::Lock::Timeout=300",
            "-q",
            "-y",
        ]);
        words.extend(arguments);
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).stdin(Stdio::null());
        command
    };
    let log = env::temp_dir().join(format!("xtask-apt-{}.log", std::process::id()));
    progress::step(
        "apt lists",
        "packages are about to be installed",
        &mut apt(&["update"]),
        &log,
    )?;
    let mut install = apt(&["install", "--no-install-recommends"]);
    progress::step(
        &format!("apt packages {}", packages.join(" ")),
        "the tests drive them",
        install.args(packages),
        &log,
    )
}

/// The words to put before `apt-get`, or none if it cannot be used unasked.
fn privilege() -> Option<&'static [&'static str]> {
    let succeeds = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    if !succeeds("apt-get", &["--version"]) {
        return None;
    }
    let output = Command::new("id").arg("-u").output().ok()?;
    if output.stdout.trim_ascii() == b"0" {
        return Some(&[]);
    }
    succeeds("sudo", &["-n", "true"]).then_some(&["sudo", "-n"])
}
