//! Language of the code: doc comments open with a noun or verb phrase, and comments and messages use standard terms.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Openings of a clause or with a pronoun, which do not name the subject.
const CLAUSES: &[&str] = &[
    "Anybody",
    "Everybody",
    "How",
    "If",
    "It",
    "Its",
    "Nobody",
    "Nothing",
    "One",
    "Somebody",
    "That",
    "These",
    "They",
    "This",
    "Those",
    "What",
    "Whatever",
    "When",
    "Whenever",
    "Where",
    "Wherever",
    "Whether",
    "Which",
    "Who",
    "Whoever",
    "Whom",
    "Whose",
    "Why",
];

/// Home-made words, with the standard term.
const HOME_MADE: &[(&str, &str)] = &[
    ("by chance", "random"),
    ("whoever", "the caller, the client, the customer"),
    ("somebody", "a caller, a client, a customer"),
    ("everybody", "all callers"),
    ("hears", "consumes"),
    ("heard", "consumed"),
    ("is away", "is unavailable"),
    ("are away", "are unavailable"),
    ("was away", "was unavailable"),
    ("given up", "dead-lettered, abandoned, cancelled"),
    ("gave up", "abandoned"),
    ("taken up", "continued"),
    ("go on", "continue"),
    ("goes on", "continues"),
    ("told", "reported"),
    ("tells", "reports"),
    ("gives back", "refunds, releases, returns"),
    ("given back", "refunded, released, returned"),
    ("put back", "requeued, redriven"),
    ("refusal", "error, rejection"),
    ("refusals", "errors, rejections"),
    ("by hand", "manually"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Returns the source files of the workspace with their text.
fn sources() -> Vec<(String, String)> {
    let mut folders = vec![root().join("crates"), root().join("services")];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && path.components().any(|part| part.as_os_str() == "src")
            {
                let name = path.strip_prefix(root()).unwrap().display().to_string();
                sources.push((name, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    sources
}

/// Returns the text of a doc comment's line.
fn doc(line: &str) -> Option<&str> {
    let line = line.trim_start();
    line.strip_prefix("///").or_else(|| line.strip_prefix("//!")).map(str::trim)
}

/// Returns the words of a line that are read by people: those of a comment, or of its string literals.
fn prose(line: &str) -> String {
    if let Some((_, comment)) = line.split_once("//").filter(|(code, _)| code.trim().is_empty()) {
        return comment.to_lowercase();
    }
    line.split('"').skip(1).step_by(2).filter(|text| text.contains(' ')).collect::<Vec<_>>().join(" ").to_lowercase()
}

fn has_word(text: &str, word: &str) -> bool {
    let is_part =
        |character: Option<char>| character.is_some_and(|character| character.is_alphanumeric() || character == '_');
    text.match_indices(word).any(|(start, _)| {
        !is_part(text[..start].chars().next_back()) && !is_part(text[start + word.len()..].chars().next())
    })
}

#[test]
fn doc_comments_open_with_their_subject() {
    let (mut blocks, mut wrong) = (0, String::new());
    for (path, text) in sources() {
        let mut previous = false;
        for (number, line) in (1..).zip(text.lines()) {
            let doc = doc(line);
            if let Some(first) = doc.filter(|text| !previous && !text.is_empty()) {
                blocks += 1;
                let word = first.split(|character: char| !character.is_alphabetic()).next().unwrap_or_default();
                if CLAUSES.contains(&word) {
                    let _ = writeln!(wrong, "{path}:{number}: {first}");
                }
            }
            previous = doc.is_some();
        }
    }
    assert!(blocks > 3000, "only {blocks} doc comments were read");
    assert!(wrong.is_empty(), "these doc comments open with a clause or a pronoun:\n{wrong}");
}

#[test]
fn comments_and_messages_use_standard_terms() {
    let mut wrong = String::new();
    for (path, text) in sources() {
        for (number, line) in (1..).zip(text.lines()) {
            let prose = prose(line);
            for (word, term) in HOME_MADE.iter().filter(|(word, _)| has_word(&prose, word)) {
                let _ = writeln!(wrong, "{path}:{number}: \"{word}\", better: {term}");
            }
        }
    }
    assert!(wrong.is_empty(), "home-made words:\n{wrong}");
}

#[test]
fn clauses_and_home_made_words_are_recognized() {
    assert_eq!(doc("    /// What it is."), Some("What it is."));
    assert_eq!(prose("    // Whoever calls."), " whoever calls.");
    assert_eq!(prose(r#"return Err("the server is away".into());"#), "the server is away");
    assert_eq!(prose(r#"let whoever = "key";"#), "");
    assert!(has_word("the server is away.", "is away") && !has_word("toldest", "told"));
}
