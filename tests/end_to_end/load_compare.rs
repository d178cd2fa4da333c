//! `ebbtide bench --compare`: two brokers in turn, a column for each.

use anyhow::{Context, Result, ensure};
use ebbtide_tests::broker::Broker;
use ebbtide_tests::program::{Said, ebbtide, run};

fn load(arguments: &[&str]) -> Result<Said> {
    let short = ["--warm-up-s", "0", "--duration-s", "0.2"];
    let arguments = [&["bench", "p2p", "--publishers", "2"], arguments, &short].concat();
    run(ebbtide(&arguments), "")
}

/// The cells of the row of this figure.
fn row<'a>(table: &'a str, name: &str) -> Result<Vec<&'a str>> {
    let mut rows = table.lines().map(|line| line.split_whitespace().collect());
    let found = rows.find(|row: &Vec<&str>| row.first() == Some(&name));
    found.with_context(|| format!("{name} in\n{table}"))
}

#[test]
fn each_broker_has_its_column_and_its_notes() -> Result<()> {
    let (one, other) = (
        Broker::start()?,
        Broker::start_with(&["--receive-maximum", "5"])?,
    );
    let (url, second) = (
        format!("mqtt://{}", one.mqtt()),
        format!("mqtt://{}", other.mqtt()),
    );
    let pid = other.id().to_string();
    // Of the first one nothing is known but what it does.
    let both = ["--url", &url, "--compare", &second, "--compare-pid", &pid];
    let said = load(&[&both[..], &["--qos", "1", "--rounds", "2"]].concat())?;
    let table = said.clone().well()?;
    ensure!(
        row(&table, "p2p")? == ["p2p", &url, &second, "ratio"],
        "{table}"
    );
    let rates = row(&table, "delivered_per_s")?;
    let rates: Vec<f64> = rates[1..]
        .iter()
        .map(|cell| cell.parse())
        .collect::<Result<_, _>>()?;
    ensure!((rates[0] / rates[1] - rates[2]).abs() < 0.01, "{table}");
    ensure!(row(&table, "broker_memory_mb")?[1] == "-", "{table}");
    let note = format!("note: {second}: the broker takes 5 unacknowledged");
    ensure!(
        said.stderr.matches("takes 5 unack").count() == 1,
        "{said:?}"
    );
    ensure!(said.stderr.contains(&note), "{said:?}");
    Ok(())
}

#[test]
fn two_logins_at_one_broker_are_two() -> Result<()> {
    let broker = Broker::start()?;
    let (url, second) = (
        format!("mqtt://a@{}", broker.mqtt()),
        format!("mqtt://b@{}", broker.mqtt()),
    );
    let table = load(&["--url", &url, "--compare", &second])?.well()?;
    let plain = format!("mqtt://{}", broker.mqtt());
    ensure!(
        row(&table, "p2p")? == ["p2p", &plain, &plain, "(2)", "ratio"],
        "{table}"
    );
    Ok(())
}
