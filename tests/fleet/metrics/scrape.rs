//! Parser of `/metrics` responses.

use std::collections::{BTreeMap, BTreeSet};

use testkit::fleet::Fleet;

/// Metrics of a service at one moment.
pub(crate) struct Scrape {
    /// Types of the families, by name.
    pub(crate) types: BTreeMap<String, String>,
    /// Series: family and suffix, labels, value.
    series: BTreeMap<String, String>,
}

impl Scrape {
    pub(crate) async fn of(fleet: &Fleet, service: &str) -> Self {
        let url = format!("{}/metrics", fleet.run.services[service]);
        Self::read(&reqwest::get(url).await.unwrap().text().await.unwrap())
    }

    fn read(text: &str) -> Self {
        let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
        let series = text.lines().filter(|line| !line.starts_with('#')).map(|line| line.rsplit_once(' ').unwrap());
        Self {
            types: types.map(|(name, kind)| (name.to_owned(), kind.to_owned())).collect(),
            series: series.map(|(series, value)| (series.to_owned(), value.to_owned())).collect(),
        }
    }

    /// Returns the value of an existing series; labels are sorted by name.
    pub(crate) fn value(&self, series: &str) -> f64 {
        self.text(series).parse().unwrap()
    }

    /// Returns the value of an existing series as an integer.
    pub(crate) fn whole(&self, series: &str) -> i64 {
        self.text(series).parse().unwrap()
    }

    fn text(&self, series: &str) -> &str {
        self.series.get(series).unwrap_or_else(|| panic!("there is no {series}"))
    }

    /// Returns the number of series.
    pub(crate) fn size(&self) -> usize {
        self.series.len()
    }

    /// Returns the series that are new since an earlier scrape.
    pub(crate) fn new_since(&self, before: &Self) -> Vec<&str> {
        self.series.keys().filter(|series| !before.series.contains_key(*series)).map(String::as_str).collect()
    }

    /// Returns the label names of a family, without a histogram's own.
    pub(crate) fn labels(&self, family: &str) -> BTreeSet<&str> {
        let own = self.series.keys().filter_map(|series| {
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            let name = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
            (name == family.trim_end_matches("_count")).then_some(labels)
        });
        let names = own.flat_map(|labels| labels.split("\",").filter_map(|label| label.split_once('=')));
        names.map(|(name, _)| name).filter(|name| *name != "le").collect()
    }
}
