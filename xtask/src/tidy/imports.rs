//! The import table: which crate of ours may use which, and who may turn on redb.
//!
//! The decisions that matter for correctness live in crates without socket, clock or disk; this keeps it so.

use anyhow::{Context, Result};
use serde_json::Value;

use crate::project::Project;

/// A crate of ours and the crates of ours that it may use. `tests` and `xtask` may use whatever they test or build.
const ALLOWED: &[(&str, &[&str])] = &[
    ("ebbtide-protocol", &[]),
    ("ebbtide-api", &[]),
    ("ebbtide-store", &["ebbtide-protocol"]),
    ("ebbtide-broker", &["ebbtide-protocol", "ebbtide-store"]),
    ("ebbtide-client", &["ebbtide-protocol"]),
    (
        "ebbtide",
        &[
            "ebbtide-protocol",
            "ebbtide-store",
            "ebbtide-broker",
            "ebbtide-api",
            "ebbtide-client",
        ],
    ),
    ("ebbtide-wasm-client", &["ebbtide-protocol"]),
    ("ebbtide-npm", &["ebbtide-protocol"]),
    ("ebbtide-dashboard", &["ebbtide-api", "ebbtide-wasm-client"]),
];

const UNRESTRICTED: [&str; 2] = ["ebbtide-tests", "xtask"];

/// Crates of others that would bring I/O, a clock or threads into the pure ones.
const PURE: [&str; 4] = [
    "ebbtide-protocol",
    "ebbtide-api",
    "ebbtide-broker",
    "ebbtide-store",
];
const IMPURE: [&str; 7] = [
    "tokio",
    "async-std",
    "mio",
    "hyper",
    "axum",
    "rustls",
    "rand",
];

pub fn check(project: &Project) -> Result<Vec<String>> {
    let output = project
        .cargo()
        .args(["metadata", "--no-deps", "--format-version=1"])
        .output();
    let output = output.context("starting cargo metadata")?;
    let metadata: Value =
        serde_json::from_slice(&output.stdout).context("reading cargo metadata")?;
    Ok(faults(&metadata))
}

fn faults(metadata: &Value) -> Vec<String> {
    let empty = Vec::new();
    let packages = metadata["packages"].as_array().unwrap_or(&empty);
    let mut faults = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        let allowed = ALLOWED
            .iter()
            .find(|(krate, _)| *krate == name)
            .map(|(_, allowed)| *allowed);
        if allowed.is_none() && !UNRESTRICTED.contains(&name) {
            faults.push(format!(
                "{name}: not in the import table (xtask/src/tidy/imports.rs)"
            ));
        }
        for dependency in package["dependencies"].as_array().unwrap_or(&empty) {
            // What only tests need is not shipped.
            if dependency["kind"].as_str() == Some("dev") {
                continue;
            }
            let used = dependency["name"].as_str().unwrap_or_default();
            let ours = dependency["path"].is_string();
            if ours && allowed.is_some_and(|allowed| !allowed.contains(&used)) {
                faults.push(format!("{name}: must not use {used}"));
            }
            if PURE.contains(&name) && IMPURE.contains(&used) {
                faults.push(format!(
                    "{name}: must not use {used}: it decides, and never touches the world"
                ));
            }
            let behind_its_feature = name == "ebbtide-store" && dependency["optional"] == true;
            if used == "redb" && !behind_its_feature && !UNRESTRICTED.contains(&name) {
                faults.push(format!(
                    "{name}: redb belongs to ebbtide-store only, behind its feature"
                ));
            }
            if name == "ebbtide-api" && used == "utoipa" && dependency["optional"] != true {
                faults.push(format!(
                    "{name}: utoipa stays behind a feature: the browser has no use for it"
                ));
            }
            let features = dependency["features"].as_array().unwrap_or(&empty);
            let turns_on_redb =
                used == "ebbtide-store" && features.iter().any(|feature| feature == "redb");
            if turns_on_redb && name != "ebbtide" && !UNRESTRICTED.contains(&name) {
                faults.push(format!("{name}: only the server turns on the feature redb"));
            }
            let turns_on_openapi =
                used == "ebbtide-api" && features.iter().any(|feature| feature == "openapi");
            if turns_on_openapi && name != "ebbtide" {
                faults.push(format!(
                    "{name}: only the server turns on the feature openapi"
                ));
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn faults_of(name: &str, dependency: Value) -> Vec<String> {
        faults(&json!({"packages": [{"name": name, "dependencies": [dependency]}]}))
    }

    #[test]
    fn an_import_against_the_table_is_a_fault() {
        let dependency = json!({"name": "ebbtide-broker", "path": "x", "kind": null});
        assert_eq!(
            faults_of("ebbtide-store", dependency.clone()),
            ["ebbtide-store: must not use ebbtide-broker"]
        );
        assert!(faults_of("ebbtide", dependency).is_empty());
    }

    #[test]
    fn a_dev_dependency_is_free() {
        assert!(
            faults_of(
                "ebbtide-protocol",
                json!({"name": "ebbtide-client", "path": "x", "kind": "dev"})
            )
            .is_empty()
        );
    }

    #[test]
    fn utoipa_stays_behind_the_feature_that_the_server_turns_on() {
        let utoipa = |optional| json!({"name": "utoipa", "optional": optional, "kind": null});
        assert_eq!(faults_of("ebbtide-api", utoipa(false)).len(), 1);
        assert!(faults_of("ebbtide-api", utoipa(true)).is_empty());
        let turns_on =
            json!({"name": "ebbtide-api", "path": "x", "features": ["openapi"], "kind": null});
        assert_eq!(faults_of("ebbtide-dashboard", turns_on.clone()).len(), 1);
        assert!(faults_of("ebbtide", turns_on).is_empty());
    }

    #[test]
    fn redb_stays_behind_the_feature_that_the_server_turns_on() {
        assert_eq!(
            faults_of(
                "ebbtide-broker",
                json!({"name": "redb", "kind": null, "optional": true})
            )
            .len(),
            1
        );
        assert_eq!(
            faults_of(
                "ebbtide-store",
                json!({"name": "redb", "kind": null, "optional": false})
            )
            .len(),
            1
        );
        assert!(
            faults_of(
                "ebbtide-store",
                json!({"name": "redb", "kind": null, "optional": true})
            )
            .is_empty()
        );
        let store =
            json!({"name": "ebbtide-store", "path": "x", "kind": null, "features": ["redb"]});
        assert_eq!(faults_of("ebbtide-broker", store.clone()).len(), 1);
        assert!(faults_of("ebbtide", store).is_empty());
    }

    #[test]
    fn a_pure_crate_gets_no_runtime() {
        assert_eq!(
            faults_of("ebbtide-protocol", json!({"name": "tokio", "kind": null})).len(),
            1
        );
    }

    #[test]
    fn a_crate_that_the_table_does_not_know_is_a_fault() {
        assert_eq!(
            faults(&json!({"packages": [{"name": "new", "dependencies": []}]})).len(),
            1
        );
    }
}
