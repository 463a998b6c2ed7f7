//! Names that people use for splits, and what is said of a data set that was read.

use super::*;
use crate::task::Task;

fn opened(files: &[&str], layout: &Layout) -> Dataset {
    let root = folder(&files.iter().map(|name| (*name, "")).collect::<Vec<_>>());
    Dataset::open(root.path(), layout).unwrap_or_else(|e| panic!("{files:?}: {e}"))
}

#[test]
fn splits_go_by_the_names_that_people_give_them() {
    for (train, other) in [
        ("train", "val"),
        ("train", "dev"),
        ("train", "eval"),
        ("train", "evaluation"),
        ("training", "testing"),
        ("Train", "Test"),
        ("TRAIN", "VALIDATION"),
        ("training_set", "test_set"),
        ("train-set", "test-set"),
        ("Training Set", "Test Set"),
        ("train_data", "valid_data"),
        ("train2017", "val2017"),
        ("pets_train", "pets_test"),
    ] {
        let files = [
            format!("{train}/cat/a.png"),
            format!("{train}/dog/b.png"),
            format!("{other}/cat/c.png"),
        ];
        let data = opened(&files.each_ref().map(|name| name.as_str()), &pictures());
        assert_eq!(data.labels, ["cat", "dog"], "{train}, {other}");
        let held = data.validation.len() + data.test.len();
        assert_eq!((data.train.len(), held), (2, 1), "{train}, {other}");
        assert_eq!(data.notes, [""; 0], "{train}, {other}");
    }
}

#[test]
fn tables_go_by_the_same_names() {
    let table = "text,label\na,x\nb,y\n";
    for (train, test) in [
        ("Train.csv", "Test.csv"),
        ("training_set.csv", "eval.csv"),
        ("sst2_train.csv", "sst2_test.csv"),
        ("my-train-00000-of-00001.csv", "my-test-00000-of-00001.csv"),
    ] {
        let root = folder(&[(train, table), (test, table)]);
        let data = Dataset::open(root.path(), &texts()).unwrap();
        assert_eq!((data.train.len(), data.test.len()), (2, 2), "{train}, {test}");
    }
    let root = folder(&[("t.csv", "text,label,split\na,x,Train\nb,y,train\nc,x,Test-Set\n")]);
    let data = Dataset::open(root.path(), &texts()).unwrap();
    assert_eq!((data.train.len(), data.test.len()), (2, 1));
}

#[test]
fn what_only_looks_like_a_split_is_said() {
    let data = opened(&["test/a.png", "val/b.png"], &pictures());
    assert_eq!(data.labels, ["test", "val"]);
    assert!(data.notes[0].contains("taken as classes: \"test\"; \"val\""), "{:?}", data.notes);
    // A class may have such a name.
    let data = opened(&["train/a.png", "bus/b.png", "car/c.png"], &pictures());
    assert_eq!(data.labels, ["bus", "car", "train"]);
    assert!(data.notes[0].contains("\"train\""), "{:?}", data.notes);
    let table = "text,label\na,x\nb,y\n";
    let root = folder(&[("a_train.csv", table), ("b_test.csv", table)]);
    let data = Dataset::open(root.path(), &texts()).unwrap();
    assert_eq!(data.train.len(), 4);
    assert!(data.notes[0].contains("parts of one: b_test.csv"), "{:?}", data.notes);
}

#[test]
fn what_nobody_read_is_named() {
    let data = opened(
        &[
            "train/cat/a.png",
            "train/dog/b.png",
            "test/cat/c.png",
            "holdout_test/cat/d.png",
            "holdout_test/dog/e.png",
            "extra/deep/f.png",
            "loose.png",
            "labels.csv",
            "README.md",
        ],
        &pictures(),
    );
    let [note] = &data.notes[..] else { panic!("{:?}", data.notes) };
    for part in [
        "not read: the table labels.csv",
        "1 pictures directly in /",
        "1 pictures in the folder extra",
        "2 pictures in the folder holdout_test, which may be for test",
    ] {
        let near = part.replace(" in /", " in ");
        assert!(note.contains(&near), "{part:?} is not in {note:?}");
    }
    // Pictures that no table names lie beside some that one does.
    let root = folder(&[
        ("train.csv", "path,label\n./clips/a.png,x\nclips/../clips/b.png,y\n"),
        ("other.csv", "path,label\nclips/c.png,x\n"),
        ("clips/a.png", ""),
        ("clips/b.png", ""),
        ("clips/c.png", ""),
    ]);
    let data = Dataset::open(root.path(), &pictures()).unwrap();
    assert_eq!(data.notes, ["not read: the table other.csv"]);
}

#[test]
fn what_systems_leave_and_an_archives_own_folder_are_passed_over() {
    let classes = ["cat", "dog"];
    for inner in ["", "images/", "images/images/"] {
        let mut files = vec!["__MACOSX/cat/._a.png".to_string(), "@eaDir/a.png/t.png".into()];
        files.extend(classes.iter().map(|class| format!("{inner}{class}/a.png")));
        let data = opened(&files.iter().map(|name| name.as_str()).collect::<Vec<_>>(), &pictures());
        assert_eq!((&data.labels[..], data.train.len()), (&classes.map(String::from)[..], 2));
        assert_eq!(data.notes, [""; 0]);
    }
}

#[test]
fn labels_that_look_the_same_are_pointed_out_with_their_numbers() {
    let rows = "a,Spam\nb,ham\nc,spam\nd,spam\ne,caf\u{e9}\nf,cafe\u{301}\ng,1\nh,1.0\n";
    let root = folder(&[("t.csv", &format!("text,label\n{rows}"))]);
    let data = Dataset::open(root.path().join("t.csv"), &texts()).unwrap();
    let [note] = &data.notes[..] else { panic!("{:?}", data.notes) };
    assert!(note.contains("\"Spam\" (1) and \"spam\" (2)"), "{note}");
    assert!(note.contains("\"1\" (1) and \"1.0\" (1)"), "{note}");
    assert!(note.contains("e\\u{301}"), "the difference can be seen: {note}");
    // Another name makes them one.
    let label_map = vec![("Spam".into(), "spam".into())];
    let layout = Layout { label_map, ..texts() };
    let data = Dataset::open(root.path().join("t.csv"), &layout).unwrap();
    assert!(!data.labels.contains(&"Spam".to_string()), "{:?}", data.labels);
    assert!(!data.notes[0].contains("Spam"), "{:?}", data.notes);
}

#[test]
fn a_class_for_nearly_every_sample_is_pointed_out() {
    let note = |classes: usize| {
        let rows: String = (0..200).map(|i| format!("text {i},{}\n", i % classes)).collect();
        let root = folder(&[("t.csv", &format!("text,label\n{rows}"))]);
        Dataset::open(root.path(), &texts()).unwrap().notes
    };
    assert_eq!(note(77), [""; 0]);
    let [said] = &note(150)[..] else { panic!("no note") };
    assert!(said.starts_with("150 classes for 200 sentences"), "{said}");
    assert!(said.contains("--label-column"), "{said}");
}

#[test]
fn labels_go_by_other_names() {
    let root = folder(&[("t.csv", "text,label\na,0\nb,1\n"), ("u.csv", "text,label\na,Neg\n")]);
    let model = ["NEG", "POS"].map(String::from);
    let read = |name: &str, map: &[(&str, &str)]| {
        let label_map = map.iter().map(|(from, to)| (from.to_string(), to.to_string())).collect();
        let layout = Layout { label_map, ..texts() };
        evaluation(root.path().join(name), &layout, asked_of(Task::SingleLabel, &model), "DATA")
    };
    let refused = read("t.csv", &[]).unwrap_err().to_string();
    assert!(refused.ends_with("add --map-labels 0=NEG,1=POS"), "{refused}");
    let refused = read("u.csv", &[]).unwrap_err().to_string();
    assert!(refused.ends_with("add --map-labels Neg=NEG"), "{refused}");
    let items = read("t.csv", &[("1", "NEG"), ("0", "POS")]).unwrap().items;
    assert_eq!(shown(&items, &model), ["POS:a", "NEG:b"]);
    let notes = read("t.csv", &[("0", "NEG"), ("1", "POS"), ("2", "NEG")]).unwrap().notes;
    assert_eq!(notes, ["--map-labels: no sample has a label called 2"]);
}

#[test]
fn labels_take_the_order_of_a_model() {
    let root = folder(&[("t.csv", "text,label\na,x\nb,y\nc,z\n")]);
    let mut data = Dataset::open(root.path(), &texts()).unwrap();
    data.order_labels(&["z", "x", "y"].map(String::from));
    assert_eq!(data.labels, ["z", "x", "y"]);
    assert_eq!(shown(&data.train, &data.labels), ["x:a", "y:b", "z:c"]);
    data.order_labels(&["0", "1", "2"].map(String::from));
    assert_eq!(data.labels, ["z", "x", "y"], "others say nothing of an order");
    assert!(data.notes[0].contains("--map-labels z=0,x=1,y=2"), "{:?}", data.notes);
    assert_eq!(data.task, Task::SingleLabel);
}
