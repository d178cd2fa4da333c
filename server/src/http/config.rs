//! `/api/v1/config`: what the broker was told, and what of it waits for a restart. No secret is among it.

use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::{Json, extract::State};
use clap::CommandFactory;
use ebbtide_api::ConfigList;

use super::{App, problem::Problem};
use crate::{
    cli::Cli,
    config::{Config, in_force},
};

/// The options as they hold.
#[derive(Debug)]
pub struct InForce(ArcSwap<ConfigList>);

impl InForce {
    pub fn new(config: &Config) -> Self {
        Self(ArcSwap::from_pointee(list(config, config)))
    }

    /// `file` was read, and `now` holds.
    pub fn set(&self, now: &Config, file: &Config) {
        self.0.store(Arc::new(list(now, file)));
    }
}

fn list(now: &Config, file: &Config) -> ConfigList {
    let options = in_force(now, file, &Cli::command());
    ConfigList { options }
}

/// All options as they hold now.
#[utoipa::path(
    get,
    path = "/api/v1/config",
    operation_id = "getConfig",
    tag = "stats",
    responses((status = 200, description = "All options.", body = ConfigList), Problem)
)]
pub async fn get(State(app): State<App>) -> Json<ConfigList> {
    Json(ConfigList::clone(&app.config.0.load()))
}
