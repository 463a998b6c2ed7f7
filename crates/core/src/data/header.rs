//! The names of a table's columns, and which of them are meant.

use std::path::Path;

use super::layout::Layout;
use super::names::{INDEX_NAMES, PAIR_NAMES};
use crate::error::{Error, Result};
use crate::task::Task;

/// The names in a table's first row, or of its columns, in lower case.
pub(super) struct Names<'a> {
    pub(super) path: &'a Path,
    pub(super) names: Vec<String>,
    /// As they are written.
    pub(super) written: Vec<String>,
}

impl Names<'_> {
    /// Whether a column is given by a name that the first row holds, which then is a header. One given
    /// by number says nothing.
    pub(super) fn is_named_by(&self, layout: &Layout) -> bool {
        let options =
            [&layout.input_column, &layout.pair_column, &layout.group_column, &layout.text_column];
        let given = options.into_iter().flatten().map(String::as_str);
        let labels = layout.label_column.iter();
        let labels = labels.flat_map(|all| all.split(',').chain([all.as_str()]));
        given
            .chain(labels)
            .map(str::trim)
            .any(|c| self.numbered(c).is_none() && self.names.contains(&c.to_lowercase()))
    }

    /// The column that has the first of these names that any has: the order of the columns says nothing.
    pub(super) fn known(&self, wanted: &[&str], option: &'static str) -> Result<Option<usize>> {
        self.known_but(wanted, option, |_| false)
    }

    /// The same, of those that are not `used`.
    pub(super) fn known_but(
        &self,
        wanted: &[&str],
        option: &'static str,
        used: impl Fn(&usize) -> bool,
    ) -> Result<Option<usize>> {
        let found = wanted.iter().find_map(|name| {
            let mut found = self.called(name).filter(|at| !used(at));
            found.next().map(|first| (first, found.next()))
        });
        match found {
            None => Ok(None),
            Some((first, None)) => Ok(Some(first)),
            Some((first, Some(_))) => Err(Error::setting(
                option,
                format!(
                    "{} has several columns {:?}; give the number of one, counted from 1",
                    self.path.display(),
                    self.names[first]
                ),
            )),
        }
    }

    /// The columns of this name.
    fn called(&self, name: &str) -> impl Iterator<Item = usize> {
        (0..self.names.len()).filter(move |&at| self.names[at] == name)
    }

    /// What to say of the column that was taken where others, which are not `used`, have one of the
    /// `wanted` names, too. `said` is what is in it, and the option that names another.
    pub(super) fn others(
        &self,
        taken: usize,
        wanted: &[&str],
        used: impl Fn(&usize) -> bool,
        [what, option]: [&str; 2],
    ) -> Option<String> {
        let others = wanted.iter().flat_map(|name| self.called(name));
        let others = others.filter(|at| *at != taken && !used(at));
        let others: Vec<_> = others.map(|at| self.written[at].as_str()).collect();
        let (taken, others) = (&self.written[taken], others.join(", "));
        (!others.is_empty()).then(|| {
            format!("the {what} are those of the column {taken}; {option} takes another: {others}")
        })
    }

    /// The column of inputs where none has a known name: the only one that is left.
    pub(super) fn only(&self, free: impl Iterator<Item = usize>, inputs: &[&str]) -> Result<usize> {
        let free: Vec<_> = free.collect();
        let index = |column: &&usize| INDEX_NAMES.contains(&&*self.names[**column]);
        let others: Vec<_> = free.iter().filter(|column| !index(column)).collect();
        match (&free[..], &others[..]) {
            (&[one], _) | (_, &[&one]) => Ok(one),
            _ => {
                let what = format!("no column named {}", inputs.join(" or "));
                Err(self.missing(&what, "--input-column"))
            }
        }
    }

    /// The column of second sentences where nobody gave it.
    pub(super) fn pair(&self, named: bool, input: usize) -> Result<usize> {
        let known = self.known(PAIR_NAMES, "--pair-column")?.filter(|_| named);
        let next = (!named && input + 1 < self.names.len()).then_some(input + 1);
        known.or(next).ok_or_else(|| {
            let what = "no second column of sentences, and the model was trained on pairs";
            self.missing(what, "--pair-column")
        })
    }

    /// What to say of second sentences that nobody asked for: by the name of their column or, where
    /// there are no names and no labels, by the spaces in it.
    pub(super) fn unused_pair(
        &self,
        named: bool,
        labelled: bool,
        input: usize,
        labels: &[usize],
    ) -> Option<String> {
        let is_pair = |&at: &usize| match named {
            true => PAIR_NAMES.contains(&&*self.names[at]),
            false => !labelled && at == input + 1 && self.names[at].contains(' '),
        };
        let mut others = (0..self.names.len()).filter(|at| *at != input && !labels.contains(at));
        let at = others.find(is_pair)?;
        let column = if named { self.written[at].clone() } else { (at + 1).to_string() };
        Some(format!(
            "does not use its column {column}; --pair-column {column} makes pairs of sentences"
        ))
    }

    /// The column that a number counted from 1 means.
    fn numbered(&self, column: &str) -> Option<usize> {
        column.parse::<usize>().ok()?.checked_sub(1).filter(|at| *at < self.names.len())
    }

    /// The column that a person gave, by name or by number.
    pub(super) fn given(
        &self,
        column: &Option<String>,
        option: &'static str,
    ) -> Result<Option<usize>> {
        let Some(column) = column else { return Ok(None) };
        if let Some(at) = self.numbered(column) {
            return Ok(Some(at));
        }
        match self.known(&[&column.to_lowercase()], option)? {
            Some(at) => Ok(Some(at)),
            None => Err(self.missing(&format!("no column {column:?}"), option)),
        }
    }

    /// The columns of labels that a person gave: one, or several with commas between.
    pub(super) fn labels(&self, layout: &Layout) -> Result<Option<Vec<usize>>> {
        const OPTION: &str = "--label-column";
        if let (Task::Transcription, Some(_)) = (layout.task, &layout.text_column) {
            let column = self.given(&layout.text_column, "--text-column")?;
            return Ok(column.map(|column| vec![column]));
        }
        let Some(given) = &layout.label_column else { return Ok(None) };
        // A name may have a comma in it.
        if !matches!(layout.task, Task::MultiLabel | Task::Regression)
            || self.names.contains(&given.to_lowercase())
        {
            return Ok(self.given(&layout.label_column, OPTION)?.map(|column| vec![column]));
        }
        let mut columns = vec![];
        for column in given.split(',') {
            let column = column.trim().to_string();
            let at = self.given(&Some(column.clone()), OPTION)?;
            if at.is_some_and(|at| columns.contains(&at)) {
                let problem = format!("names the column {column:?} twice");
                return Err(Error::setting(OPTION, problem));
            }
            columns.extend(at);
        }
        Ok(Some(columns))
    }

    pub(super) fn missing(&self, what: &str, option: &'static str) -> Error {
        let problem =
            format!("{} has {what}; its columns are: {}", self.path.display(), self.list());
        Error::setting(option, problem)
    }

    pub(super) fn list(&self) -> String {
        self.names.join(", ")
    }
}
