//! Frozen means frozen: every tensor of a run folder against the checkpoint it came from.

use crosstune_core::{Checkpoint, Pretrained};

use crate::support::{tiny_bert, train};

/// Our names of the run's parameters that differ from the checkpoint's, of those it has.
fn moved(freeze: &str) -> Vec<String> {
    moved_by(&["--freeze", freeze])
}

fn moved_by(args: &[&str]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    train("text", &run, &[&["--epochs", "1", "--limit-per-class", "8"], args].concat()).ok();
    let (before, after) = (Pretrained::open(tiny_bert()).unwrap(), Checkpoint::open(&run).unwrap());
    let before = before.source().unwrap();
    let moved = after.entries().filter(|(ours, entry)| {
        let theirs = before.tensor(ours, &entry.shape).ok();
        theirs.is_some_and(|theirs| after.tensor(ours).unwrap() != theirs)
    });
    moved.map(|(ours, _)| ours.to_string()).collect()
}

#[test]
fn only_what_may_train_moves() {
    let all = moved("nothing");
    assert!(
        all.iter().any(|n| n.starts_with("embed.")) && all.iter().any(|n| n.starts_with("trunk."))
    );

    let trunk = moved("trunk");
    assert!(!trunk.is_empty() && trunk.iter().all(|n| n.starts_with("embed.")), "{trunk:?}");

    assert_eq!(moved("embedder,trunk"), [""; 0]);

    let norms = moved("embedder,trunk-but-norms");
    assert!(norms.iter().all(|n| n.contains(".norm")), "{norms:?}");
    assert_eq!(norms.len(), 2 * 2 * 2, "weight and bias of two norms in each of two blocks");

    let above = moved("below:1");
    assert!(
        !above.is_empty() && above.iter().all(|n| n.starts_with("trunk.blocks.1.")),
        "{above:?}"
    );
}

#[test]
fn recipes_move_what_they_say() {
    let biases = moved_by(&["--recipe", "bitfit"]);
    assert!(biases.iter().any(|n| n.starts_with("embed.")), "{biases:?}");
    assert!(biases.iter().all(|n| n.ends_with(".bias")), "{biases:?}");
    assert_eq!(moved_by(&["--recipe", "linear-probe"]), [""; 0]);
    let norms = moved_by(&["--recipe", "fpt"]);
    let in_trunk = norms.iter().filter(|n| n.starts_with("trunk."));
    assert!(in_trunk.clone().count() > 0 && in_trunk.into_iter().all(|n| n.contains(".norm")));
    let attention = moved("not trunk.blocks.0.attn.*");
    assert!(attention.iter().all(|n| n.starts_with("trunk.blocks.0.attn.")), "{attention:?}");
}
