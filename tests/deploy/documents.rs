//! References of the documents to tests.

use std::path::Path;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Returns the texts between backticks of a line.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

#[test]
fn failure_modes_name_existing_tests() {
    let text = read("docs/failure-modes.md");
    let rows: Vec<_> = text.lines().filter(|line| line.contains(".rs` `")).collect();
    for row in &rows {
        let cell = row.trim_end_matches([' ', '|']).rsplit('|').next().unwrap();
        let [file, function] = quoted(cell).collect::<Vec<_>>()[..] else { panic!("no file and function in {row}") };
        assert!(read(file).contains(&format!("fn {function}(")), "{file} has no test {function}");
    }
    assert!(rows.len() > 40, "only {} cases", rows.len());
}
