//! The Ebbtide dashboard: the state of the broker at first glance, and what can be done about it.
//!
//! `model` decides, `feed` listens to the broker over MQTT, `api` asks it over HTTP, `components` draw, `pages` put them
//! together, `app` holds what lives as long as the page. Boards are painted from retained messages alone: the page never
//! asks for an initial state, never writes HTML from a payload, and uses no inline script or style.

mod api;
mod app;
mod browser;
mod components;
mod feed;
mod frames;
mod keys;
mod model;
mod offline;
mod pages;
mod retained;
mod sample;
mod shell;
mod storage;
mod stores;
mod watched;

fn main() {
    if let Some(root) = browser::element("app") {
        yew::Renderer::<app::App>::with_root(root).render();
        offline::keep_shell();
    }
}
