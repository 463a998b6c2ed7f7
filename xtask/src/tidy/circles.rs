//! No circles: the files and folders of a folder import each other in one direction.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::fault::Fault;
use super::source::Crate;

/// The arrows between the children of a folder, each with the file and line of one such import.
type Arrows<'a> = BTreeMap<&'a str, BTreeMap<&'a str, (&'a str, usize)>>;

/// The shortest circles through files or folders, each told once.
pub(super) fn faults(krate: &Crate) -> Vec<Fault> {
    let mut folders: BTreeMap<Vec<&str>, Arrows<'_>> = BTreeMap::new();
    let places = krate.files.iter().flat_map(|file| {
        let imports = file.imports.iter();
        imports.map(move |import| (file, import.line, krate.place(file, import)))
    });
    let places: Vec<_> = places.collect();
    for (file, line, place) in &places {
        let Some(place) = place else { continue };
        let pairs = file.module.iter().zip(&place.module);
        let shared = pairs.take_while(|(ours, theirs)| ours == theirs).count();
        // Else one is the other, or lies in it: a door plate and its children.
        if let (Some(ours), Some(theirs)) = (file.module.get(shared), place.module.get(shared)) {
            let folder = file.module[..shared].iter().map(String::as_str).collect();
            let arrows = folders.entry(folder).or_default().entry(ours).or_default();
            arrows.entry(theirs).or_insert((&file.name, *line));
        }
    }
    let mut faults = Vec::new();
    for (folder, arrows) in &folders {
        let circles: BTreeSet<Vec<&str>> =
            arrows.keys().filter_map(|from| circle(arrows, from)).collect();
        let mut circles: Vec<_> = circles.into_iter().collect();
        circles.sort_by_key(Vec::len);
        // One arrow may close many circles: only the shortest of them is told.
        let mut told = BTreeSet::new();
        for circle in circles {
            let next = circle.iter().cycle().skip(1);
            let round: Vec<_> = circle.iter().zip(next).collect();
            if round.iter().all(|(from, to)| !told.contains(&(**from, **to))) {
                faults.push(fault(&krate.folder, folder, arrows, &circle));
            }
            told.extend(round.into_iter().map(|(&from, &to)| (from, to)));
        }
    }
    faults
}

/// The shortest way from a child back to itself, begun where the alphabet does.
fn circle<'a>(arrows: &Arrows<'a>, from: &'a str) -> Option<Vec<&'a str>> {
    let mut before = BTreeMap::new();
    let mut next = VecDeque::from([from]);
    while let Some(at) = next.pop_front() {
        for &to in arrows.get(at).into_iter().flat_map(BTreeMap::keys) {
            if to == from {
                let mut way = vec![at];
                while let Some(&at) = before.get(way[way.len() - 1]) {
                    way.push(at);
                }
                way.reverse();
                let first = (0..way.len()).min_by_key(|&i| way[i]).unwrap_or(0);
                way.rotate_left(first);
                return Some(way);
            }
            if !before.contains_key(to) {
                before.insert(to, at);
                next.push_back(to);
            }
        }
    }
    None
}

/// A circle, with the import behind each of its arrows.
fn fault(krate: &str, folder: &[&str], arrows: &Arrows<'_>, circle: &[&str]) -> Fault {
    let mut shown = circle[0].to_owned();
    let mut first = None;
    for (i, from) in circle.iter().enumerate() {
        let to = circle[(i + 1) % circle.len()];
        let (file, line) = arrows[from][to];
        let short = file.strip_prefix(&format!("{krate}/src/")).unwrap_or(file);
        shown += &format!(" -> {to} ({short}:{line})");
        first.get_or_insert((file, line));
    }
    let (file, line) = first.unwrap_or((krate, 0));
    let place = if folder.is_empty() { krate.to_owned() } else { folder.join("/") };
    Fault::new(file, line, format!("a circle in {place}: {shown}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The circles of a crate `c`.
    fn circles(sources: &[(&str, &str)]) -> Vec<String> {
        let sources: Vec<_> =
            sources.iter().map(|(name, text)| (format!("c/src/{name}"), *text)).collect();
        let krate = Crate::new("c", sources.iter().map(|(name, text)| (name.as_str(), *text)));
        faults(&krate).iter().map(Fault::to_string).collect()
    }

    #[test]
    fn one_direction_has_no_circle() {
        let straight = [
            ("a.rs", "use crate::d::e::E; use crate::d::F;"),
            ("d/mod.rs", "mod e; mod f; pub use e::E; pub use f::F;"),
            ("d/e.rs", "use super::f::F;"),
            ("d/f.rs", "use std::fmt; #[cfg(test)] mod tests { use super::super::e::E; }"),
        ];
        assert_eq!(circles(&straight), [""; 0]);
    }

    #[test]
    fn files_of_a_folder_and_rooms_of_a_crate_are_walked() {
        let files = [
            ("d/e.rs", "//! E.\nuse super::f::F;"),
            ("d/f.rs", "fn a() {\n crate::d::g::h()\n}"),
            ("d/g/mod.rs", "mod i;"),
            ("d/g/i.rs", "use crate::d::e;"),
        ];
        assert_eq!(
            circles(&files),
            ["c/src/d/e.rs:2: a circle in d: e -> f (d/e.rs:2) -> g (d/f.rs:2) -> e (d/g/i.rs:1)"]
        );
        let rooms = [("d/e.rs", "use crate::f::{G, H};"), ("f.rs", "use crate::d::e::E;")];
        assert_eq!(
            circles(&rooms),
            ["c/src/d/e.rs:1: a circle in c: d -> f (d/e.rs:1) -> d (f.rs:1)"]
        );
    }

    #[test]
    fn every_circle_is_told_once() {
        let text = "use super::b::B; use super::c::C;";
        let back = "use super::a::A;";
        let two = [("d/a.rs", text), ("d/b.rs", back), ("d/c.rs", back)];
        assert_eq!(circles(&two).len(), 2);
        // All three go by the same arrow, from `a` to `d`.
        let one = [
            ("d/a.rs", "use super::d::D;"),
            ("d/b.rs", back),
            ("d/c.rs", back),
            ("d/d.rs", "use super::{a::A, b::B, c::C};"),
        ];
        assert_eq!(
            circles(&one),
            ["c/src/d/a.rs:1: a circle in d: a -> d (d/a.rs:1) -> a (d/d.rs:1)"]
        );
    }
}
