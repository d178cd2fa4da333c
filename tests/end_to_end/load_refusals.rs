//! `ebbtide bench` at a broker that refuses something: what it did not do is not counted as done.

use anyhow::{Result, ensure};
use ebbtide_tests::broker::Broker;
use ebbtide_tests::program::{Said, ebbtide, run};
use tempfile::TempDir;

/// A broker where one user may do this below `bench`, and the address with which its clients come.
fn may(actions: &str) -> Result<(TempDir, Broker, String)> {
    let folder = tempfile::tempdir()?;
    let config = folder.path().join("ebbtide.toml");
    let user = "[[users]]\nname = \"ann\"\npassword = \"a-good-password\"\n";
    let rule = format!("effect = \"allow\"\nwho = \"authenticated\"\nactions = {actions}\n");
    let rule = format!("[[rules]]\n{rule}topics = [\"bench/#\"]\n");
    std::fs::write(&config, format!("auth = [\"password\"]\n{user}{rule}"))?;
    let broker = Broker::start_with(&["--config", &config.display().to_string()])?;
    let url = format!("mqtt://ann:a-good-password@{}", broker.mqtt());
    Ok((folder, broker, url))
}

fn load(url: &str, arguments: &[&str]) -> Result<Said> {
    let arguments = [&["bench"], arguments, &["--url", url]].concat();
    run(ebbtide(&arguments), "")
}

/// A PUBREC with an error ends the exchange: no PUBREL follows, and no PUBCOMP [MQTT-4.3.3-4].
#[test]
fn what_is_not_retained_is_not_counted() -> Result<()> {
    let (_folder, _broker, url) = may("[\"publish\", \"subscribe\"]")?;
    for qos in ["1", "2"] {
        let said = load(&url, &["retained", "--messages", "20", "--qos", qos])?;
        let why = "the broker refused 20 of them";
        ensure!(said.code == 6 && said.stderr.contains(why), "{said:?}");
    }
    Ok(())
}
