//! A path to a violation: as data, which is run again without what has found it, and in words.

use super::Bounds;
use super::choice::Choice;
use super::search::{beginning, path_under_way};
use super::space::{Space, Story};
use crate::checkers::Violation;
use serde::{Deserialize, Serialize};

/// The format of a path. It changes when a choice gets another meaning.
const FORMAT: u32 = 1;

/// A path, as it is saved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Path {
    format: u32,
    bounds: Bounds,
    /// The rule that was broken at its end.
    checker: String,
    steps: Vec<Choice>,
}

/// Why a path can't be run again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// It is no JSON of a path.
    #[error("no path of an exploration: {0}")]
    Json(#[from] serde_json::Error),
    /// It was saved by another version.
    #[error("the path has format {0}, this program reads {known}: explore again", known = FORMAT)]
    Format(u32),
    /// Its bounds can't be honoured.
    #[error("the path's bounds can't be honoured: {0}")]
    Bounds(String),
    /// What it wants to happen can't happen.
    #[error("step {0} of the path can't happen: the code does something else now, so explore again")]
    Step(usize),
}

impl Path {
    pub(super) fn new(bounds: &Bounds, steps: &[Choice], checker: &str) -> Self {
        Path { format: FORMAT, bounds: bounds.clone(), checker: checker.to_owned(), steps: steps.to_vec() }
    }

    /// The path to what this thread explores at the moment: for whoever hears that it panics.
    pub fn under_way(bounds: &Bounds) -> Self {
        Path::new(bounds, &path_under_way(), "no_panic")
    }

    /// How many choices it has.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether the rule is broken before anything is chosen.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The rule that was broken at its end when it was saved.
    pub fn checker(&self) -> &str {
        &self.checker
    }

    /// As it is saved.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a path is plain data")
    }

    /// What was saved.
    ///
    /// # Errors
    /// When it is no path, or one of another version.
    pub fn from_json(text: &str) -> Result<Self, PathError> {
        let path: Path = serde_json::from_str(text)?;
        if path.format != FORMAT {
            return Err(PathError::Format(path.format));
        }
        path.bounds.check().map_err(PathError::Bounds)?;
        Ok(path)
    }

    /// Runs it again; `told` hears each step in words, with what follows from it. The rule that is broken, if one is.
    ///
    /// # Errors
    /// When one of its steps can't happen.
    pub fn replay(&self, told: impl FnMut(String)) -> Result<Option<Violation>, PathError> {
        self.replay_in(Space::new(&self.bounds), told)
    }

    pub(super) fn replay_in(
        &self,
        mut space: Space,
        mut told: impl FnMut(String),
    ) -> Result<Option<Violation>, PathError> {
        let mut state = match beginning(&mut space, self.bounds.from) {
            Ok(state) => state,
            Err(violation) => return Ok(Some(violation)),
        };
        let servers = 0..usize::from(self.bounds.servers);
        let states: Vec<String> =
            servers.map(|at| format!("server {} {}", at + 1, space.state_of(&state, at))).collect();
        told(format!("  0  {}", states.join("; ")));
        space.story = Some(Story::default());
        let mut choices = Vec::new();
        for (at, choice) in self.steps.iter().enumerate() {
            space.choices(&state, &mut choices);
            if !choices.contains(choice) {
                return Err(PathError::Step(at + 1));
            }
            let words = space.words(&state, *choice);
            let verdict = space.happen(&mut state, *choice).and_then(|()| space.check(&state));
            let story =
                space.story.as_mut().map(|story| std::mem::take(&mut story.lines)).unwrap_or_default();
            let follows = if story.is_empty() { String::new() } else { format!(": {}", story.join("; ")) };
            told(format!("{:>3}  {words}{follows}", at + 1));
            if let Err(violation) = verdict {
                return Ok(Some(violation));
            }
        }
        Ok(None)
    }
}
