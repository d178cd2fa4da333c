//! What the viewer chose, kept in the URL's query so that a link shows the same view. Defaults are left out.

use form_urlencoded::{Serializer, parse};

use super::presence::Status;

pub const PRESENCE_FILTER: &str = "presence/+";
pub const CONFIG_FILTER: &str = "config/#";

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    #[default]
    Name,
    Status,
    Recent,
}

impl Sort {
    pub const ALL: [Self; 3] = [Self::Name, Self::Status, Self::Recent];

    pub fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Status => "status",
            Self::Recent => "recent",
        }
    }

    pub fn words(self) -> &'static str {
        match self {
            Self::Name => "Name",
            Self::Status => "Status",
            Self::Recent => "Most recent",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|sort| sort.name() == name)
    }
}

/// Which board a screen shows that has room for one only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Pane {
    #[default]
    Presence,
    Config,
}

impl Pane {
    pub fn name(self) -> &'static str {
        match self {
            Self::Presence => "presence",
            Self::Config => "config",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    pub presence_filter: String,
    pub config_filter: String,
    pub search: String,
    pub sort: Sort,
    pub status: Option<Status>,
    pub pane: Pane,
}

impl Default for View {
    fn default() -> Self {
        Self {
            presence_filter: PRESENCE_FILTER.to_owned(),
            config_filter: CONFIG_FILTER.to_owned(),
            search: String::new(),
            sort: Sort::Name,
            status: None,
            pane: Pane::Presence,
        }
    }
}

impl View {
    /// Unknown names and values are passed over: an old link still opens.
    pub fn from_query(query: &str) -> Self {
        let mut view = Self::default();
        for (name, value) in parse(query.trim_start_matches('?').as_bytes()) {
            match &*name {
                "presence" => view.presence_filter = value.into_owned(),
                "config" => view.config_filter = value.into_owned(),
                "q" => view.search = value.into_owned(),
                "sort" => view.sort = Sort::from_name(&value).unwrap_or_default(),
                "status" => view.status = Status::from_name(&value),
                "view" if value == Pane::Config.name() => view.pane = Pane::Config,
                _ => {}
            }
        }
        view
    }

    /// With its `?`; empty when all is as by default.
    pub fn to_query(&self) -> String {
        let default = Self::default();
        let mut query = Serializer::new(String::new());
        if self.presence_filter != default.presence_filter {
            query.append_pair("presence", &self.presence_filter);
        }
        if self.config_filter != default.config_filter {
            query.append_pair("config", &self.config_filter);
        }
        if !self.search.is_empty() {
            query.append_pair("q", &self.search);
        }
        if self.sort != default.sort {
            query.append_pair("sort", self.sort.name());
        }
        if let Some(status) = self.status {
            query.append_pair("status", status.name());
        }
        if self.pane != default.pane {
            query.append_pair("view", self.pane.name());
        }
        let query = query.finish();
        if query.is_empty() {
            query
        } else {
            format!("?{query}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_gives_back_the_view() {
        let view = View {
            presence_filter: "floor 1/+/ü&?".to_owned(),
            config_filter: "#".to_owned(),
            search: "a=b #c".to_owned(),
            sort: Sort::Recent,
            status: Some(Status::Offline),
            pane: Pane::Config,
        };
        assert_eq!(View::from_query(&view.to_query()), view);
    }

    #[test]
    fn the_default_view_has_a_clean_link() {
        assert_eq!(View::default().to_query(), "");
        assert_eq!(View::from_query(""), View::default());
    }

    #[test]
    fn what_is_not_understood_is_passed_over() {
        let view = View::from_query("?sort=colour&status=x&view=moon&unknown=1&q=%");
        assert_eq!(view.sort, Sort::Name);
        assert_eq!(view.status, None);
        assert_eq!(view.search, "%");
    }
}
