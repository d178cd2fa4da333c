//! The Ebbtide dashboard: who is online and what is configured, painted from retained messages alone.
//!
//! `model` decides, `feed` listens to the broker, `components` draw, `app` ties them together. The page never asks the
//! broker for an initial state, never writes HTML from a payload, and uses no inline script or style.

mod app;
mod browser;
mod components;
mod feed;
mod model;

fn main() {
    if let Some(root) = browser::element("app") {
        yew::Renderer::<app::App>::with_root(root).render();
    }
}
