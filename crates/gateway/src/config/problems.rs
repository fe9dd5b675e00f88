//! What is wrong with a file, all of it at once.

use std::cell::RefCell;
use std::fmt;

/// Collects problems while the file is read.
#[derive(Debug, Default)]
pub(crate) struct Problems(RefCell<Vec<Problem>>);

#[derive(Debug)]
struct Problem {
    line: usize,
    text: String,
}

impl Problems {
    pub(crate) fn add(&self, line: usize, text: String) {
        self.0.borrow_mut().push(Problem { line, text });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    pub(super) fn into_errors(self) -> ConfigErrors {
        let mut problems = self.0.into_inner();
        problems.sort_by_key(|problem| problem.line);
        ConfigErrors { problems }
    }
}

/// Everything that is wrong with a file, in the order of its lines. Displayed as one line a problem:
/// ``line 12: plugin `x` is not known``.
#[derive(Debug)]
pub struct ConfigErrors {
    problems: Vec<Problem>,
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "line {}: {}", problem.line, problem.text)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}
