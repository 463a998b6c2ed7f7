//! `hf://org/name`: fetched from a hub on this computer into a cache of the test's own.

mod fixture;
mod hostile;
mod server;

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::Stdio,
    sync::mpsc,
    thread,
};

use crosstune_core::Pretrained;

use crate::support::{names, ran, root, words};
use fixture::{Hub, MODEL, SHA256, WEIGHTS, of_weights, says_all, weights};
use server::{COMMIT, Ranges, Stored};

#[test]
fn a_model_is_fetched_once_in_pythons_layout() {
    let hub = Hub::new();
    let shown = hub.inspect(MODEL).ok();
    says_all(&shown, &["bert (pretrained on text)", "2 blocks of width 32", COMMIT]);

    // What is needed, and nothing else.
    assert_eq!(names(&hub.snapshot("")), ["config.json", WEIGHTS, "tokenizer.json"]);
    assert_eq!(names(&hub.folder().join("blobs")).len(), 3);
    assert_eq!(fs::read_to_string(hub.folder().join("refs/main")).unwrap(), COMMIT);
    assert_eq!(fs::read(hub.snapshot(WEIGHTS)).unwrap(), weights());
    if cfg!(unix) {
        let link = fs::read_link(hub.snapshot(WEIGHTS)).unwrap();
        assert_eq!(link, Path::new("../../blobs").join(SHA256));
    }

    // The second time, one question: what is `main` now?
    hub.server.requests();
    hub.inspect(MODEL).ok();
    let requests = hub.server.requests();
    assert_eq!(requests.len(), 1, "{requests:?}");
    assert!(requests[0].starts_with("GET /api/models/org/tiny-bert/revision/main "));
}

#[test]
fn an_adapter_comes_with_what_says_how_it_is_added() {
    let hub = Hub::new();
    let fixtures = root().join("crates/text/tests/fixtures");
    let files = ["adapter_config.json", "adapter_model.safetensors"];
    hub.server.set(|hub| {
        hub.files.clear();
        for name in files {
            let bytes = fs::read(fixtures.join("tiny-bert-pairs-lora").join(name)).unwrap();
            let stored =
                Stored { bytes, etag: name.replace('.', "-"), large: false, announced: None };
            hub.files.insert(name.into(), stored);
        }
    });
    let base = fixtures.join("tiny-bert-pairs");
    let shown = ran(&mut hub.command(&words!["inspect", MODEL, "--base", base])).ok();
    says_all(&shown, &["bert (pretrained on text, adapted by "]);
    assert_eq!(names(&hub.snapshot("")), files);
}

#[test]
fn a_text_model_from_the_hub_trains() {
    let hub = Hub::new();
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let data = root().join("crates/text/samples/digits");
    let train = words!["train", "--weights", MODEL, "--data", data, "--out", run];
    let train = [&train[..], &words!["--epochs", "1", "--max-steps", "1"]].concat();
    let ran = ran(&mut hub.command(&train));
    says_all(&ran.stderr, &["source      hf://org/tiny-bert, bert trained on text"]);
    ran.ok();
    assert!(run.join(WEIGHTS).is_file());
}

#[test]
fn a_revision_and_a_file_can_be_named() {
    let hub = Hub::new();
    hub.inspect("hf://org/tiny-bert@refs%2Fpr%2F3/model.safetensors").ok();
    assert_eq!(names(&hub.snapshot("")), ["config.json", WEIGHTS]);
    assert_eq!(fs::read_to_string(hub.folder().join("refs/refs/pr/3")).unwrap(), COMMIT);
    hub.inspect(&format!("{MODEL}@{COMMIT}")).ok();
    assert_eq!(names(&hub.folder().join("refs")), ["refs"], "a commit is its own ref");
}

#[test]
fn a_renamed_repository_is_found() {
    let hub = Hub::new();
    hub.server.set(|hub| hub.renamed = true);
    hub.inspect("hf://org/old").ok();
    assert!(hub.home.path().join("hub/models--org--old/refs/main").is_file());
}

#[test]
fn offline_the_cache_is_enough_or_the_error_says_so() {
    let hub = Hub::new();
    for variable in ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"] {
        let message = hub.fails(MODEL, 1, &[(variable, "1")]);
        says_all(&message, &[MODEL, "in the cache", variable, "HF_HOME"]);
    }
    assert_eq!(hub.server.requests(), [""; 0]);
    hub.inspect(MODEL).ok();
    hub.server.requests();
    for model in [MODEL, &format!("{MODEL}@{COMMIT}"), &format!("{MODEL}/{WEIGHTS}")] {
        hub.inspect_with(model, &[("HF_HUB_OFFLINE", "1")]).ok();
    }
    hub.fails("hf://org/tiny-bert/other.safetensors", 1, &[("HF_HUB_OFFLINE", "1")]);
    hub.fails("hf://org/tiny-bert@other", 1, &[("HF_HUB_OFFLINE", "1")]);
    assert_eq!(hub.server.requests(), [""; 0]);
    // An interrupted fetch has left no weights, and so no model.
    fs::remove_file(hub.snapshot(WEIGHTS)).unwrap();
    hub.fails(MODEL, 1, &[("HF_HUB_OFFLINE", "1")]);
}

#[test]
fn shards_are_fetched_with_their_index() {
    let hub = Hub::new();
    hub.server.set(|hub| {
        let small = |bytes: &str, etag: &str| Stored {
            bytes: bytes.into(),
            etag: etag.into(),
            large: false,
            announced: None,
        };
        let index = r#"{"weight_map": {"a": "m-1.safetensors", "b": "m-2.safetensors"}}"#;
        hub.files.remove(WEIGHTS);
        hub.files.insert("model.safetensors.index.json".into(), small(index, "1d"));
        hub.files.insert("m-1.safetensors".into(), small("one", "01"));
        hub.files.insert("m-2.safetensors".into(), small("two", "02"));
    });
    // What is fetched is asserted, whatever opens it then.
    hub.inspect(MODEL);
    assert_eq!(
        names(&hub.snapshot("")),
        [
            "config.json",
            "m-1.safetensors",
            "m-2.safetensors",
            "model.safetensors.index.json",
            "tokenizer.json"
        ]
    );
}

#[test]
fn a_cut_connection_is_taken_up_where_it_broke() {
    let hub = Hub::new();
    hub.server.set(|hub| hub.cuts = vec![10_000, 0, 20_000]);
    hub.inspect(MODEL).ok();
    let requests = hub.server.requests();
    let ranges: Vec<_> = of_weights(&requests)
        .into_iter()
        .map(|r| r.lines().find(|l| l.to_lowercase().starts_with("range")).unwrap_or("none"))
        .map(str::to_lowercase)
        .collect();
    assert_eq!(
        ranges,
        ["none", "range: bytes=10000-", "range: bytes=10000-", "range: bytes=30000-"]
    );
    assert_eq!(fs::read(hub.snapshot(WEIGHTS)).unwrap(), weights());
    assert!(!hub.part().exists());
}

#[test]
fn what_one_process_left_another_takes_up() {
    let hub = Hub::new();
    hub.server.set(|hub| hub.cuts = vec![10_000, 0, 0, 0]);
    let message = hub.fails(MODEL, 1, &[]);
    let size = weights().len();
    says_all(
        &message,
        &[MODEL, &format!("{WEIGHTS} was cut off at 10000 of {size} bytes"), "again"],
    );
    // What is there is nobody's model.
    assert_eq!(fs::metadata(hub.part()).unwrap().len(), 10_000);
    assert!(!hub.blob().exists() && !hub.snapshot(WEIGHTS).exists());
    assert!(!hub.folder().join("refs").exists());

    hub.server.requests();
    hub.server.set(|hub| hub.cuts.clear());
    hub.inspect(MODEL).ok();
    let requests = hub.server.requests();
    let asked = of_weights(&requests);
    assert_eq!(asked.len(), 1);
    assert!(asked[0].to_lowercase().contains("range: bytes=10000-"), "{asked:?}");
    assert_eq!(fs::read(hub.snapshot(WEIGHTS)).unwrap(), weights());

    // A process that ended just before it gave the file its name.
    fs::remove_file(hub.snapshot(WEIGHTS)).unwrap();
    fs::rename(hub.blob(), hub.part()).unwrap();
    hub.server.requests();
    hub.inspect(MODEL).ok();
    assert_eq!(of_weights(&hub.server.requests()).len(), 0);
}

#[test]
fn a_hub_without_ranges_sends_all_again() {
    let hub = Hub::new();
    hub.server.set(|hub| {
        hub.cuts = vec![10_000];
        hub.ranges = Ranges::Ignored;
    });
    hub.inspect(MODEL).ok();
    assert_eq!(fs::read(hub.snapshot(WEIGHTS)).unwrap(), weights());
}

#[test]
fn what_is_not_as_announced_is_not_kept() {
    let hub = Hub::new();
    // One bit of a weight.
    hub.set_weights(|file| *file.bytes.last_mut().unwrap() ^= 1);
    let message = hub.fails(MODEL, 1, &[]);
    says_all(&message, &[MODEL, WEIGHTS, "the SHA-256", SHA256, "not kept"]);
    assert!(!hub.blob().exists() && !hub.part().exists() && !hub.snapshot(WEIGHTS).exists());

    // The same of a resumed file: its beginning is another's.
    hub.set_weights(|file| file.bytes = weights());
    fs::write(hub.part(), [7; 10_000]).unwrap();
    says_all(&hub.fails(MODEL, 1, &[]), &["the SHA-256", "not kept"]);
    hub.inspect(MODEL).ok();

    let hub = Hub::new();
    hub.set_weights(|file| file.announced = Some(file.bytes.len() - 1));
    says_all(&hub.fails(MODEL, 1, &[]), &[MODEL, WEIGHTS, "more bytes than", "not kept"]);
    assert!(!hub.blob().exists() && !hub.part().exists());

    let hub = Hub::new();
    hub.set_weights(|file| file.announced = Some(file.bytes.len() + 1));
    says_all(&hub.fails(MODEL, 1, &[]), &[MODEL, WEIGHTS, "was cut off at"]);
    assert!(!hub.blob().exists() && !hub.snapshot(WEIGHTS).exists());
}

#[test]
fn of_two_processes_at_once_one_fetches_and_the_other_waits() {
    let hub = Hub::new();
    let (begun, has_begun) = mpsc::channel();
    let (resume, may_resume) = mpsc::channel::<()>();
    hub.server.set(|hub| {
        hub.before_large = Some(Box::new(move || {
            begun.send(()).unwrap();
            may_resume.recv().unwrap();
        }));
    });
    thread::scope(|scope| {
        let first = scope.spawn(|| hub.inspect(MODEL).ok());
        has_begun.recv().unwrap();
        let mut second = hub.command(&words!["inspect", MODEL]);
        let mut second =
            second.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the binary runs");
        let mut said = String::new();
        BufReader::new(second.stderr.take().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(said.trim_end(), "waiting     another process is fetching model.safetensors");
        resume.send(()).unwrap();
        first.join().unwrap();
        assert!(second.wait().unwrap().success());
    });
    assert_eq!(of_weights(&hub.server.requests()).len(), 1);
}

#[test]
fn the_token_goes_to_the_hub_and_nowhere_else() {
    let hub = Hub::new();
    hub.inspect_with(MODEL, &[("HF_TOKEN", "hf_variable")]).ok();
    let requests = hub.server.requests();
    assert!(requests.iter().any(|r| r.starts_with("HEAD ")), "{requests:?}");
    for request in &requests {
        let told = request.to_lowercase().contains("authorization: bearer hf_variable");
        assert_eq!(told, !request.starts_with("GET /large/"), "{request}");
    }
    fs::write(hub.home.path().join("token"), "hf_file\n").unwrap();
    hub.inspect(MODEL).ok();
    assert!(hub.server.requests()[0].to_lowercase().contains("bearer hf_file"));
}

#[test]
fn a_refusal_says_what_to_do() {
    let hub = Hub::new();
    let endpoint = hub.server.endpoint.clone();
    let gated = format!("accept its licence at {endpoint}/org/tiny-bert");
    let token = &[("HF_TOKEN", "hf_x")][..];
    for (status, headers, variables, said) in [
        ("401 Unauthorized", "X-Error-Code: RepoNotFound\r\n", &[][..], "or a private one: check"),
        ("401 Unauthorized", "X-Error-Code: GatedRepo\r\n", &[], &gated),
        ("403 Forbidden", "X-Error-Code: GatedRepo\r\n", token, &gated),
        ("401 Unauthorized", "", token, "does not accept the token from HF_TOKEN"),
        ("403 Forbidden", "", token, "the token from HF_TOKEN may not read it"),
        ("404 Not Found", "X-Error-Code: RepoNotFound\r\n", &[], "no such repository"),
        ("404 Not Found", "X-Error-Code: RepoNotFound\r\n", token, "no such repository"),
        ("429 Too Many Requests", "", &[], "too many requests; wait a while, or set HF_TOKEN"),
        ("503 Service Unavailable", "", &[], "fails (503); try again later"),
        ("418 I'm a teapot", "X-Error-Message: no coffee\r\n", &[], "refuses (418)"),
        ("418 I'm a teapot", "X-Error-Message: no coffee\r\n", &[], "no coffee"),
        ("200 OK", "", &[], "does not answer as a hub does"),
    ] {
        hub.server.set(|hub| hub.refusal = Some((status, headers.into())));
        let message = hub.fails(MODEL, 1, variables);
        says_all(&message, &[MODEL, said]);
    }
    // A gated repository lets everybody see what it holds.
    hub.server.set(|hub| {
        hub.refusal = Some(("403 Forbidden", "X-Error-Code: GatedRepo\r\n".into()));
        hub.refuse_files_only = true;
    });
    says_all(&hub.fails(MODEL, 1, &[]), &[&gated, "then set HF_TOKEN"]);
    hub.server.set(|hub| hub.refusal = None);

    let message = hub.fails("hf://org/nothing", 1, &[]);
    says_all(&message, &["hf://org/nothing: no such repository", "HF_TOKEN"]);
    let message = hub.fails("hf://org/tiny-bert@v9", 1, &[]);
    says_all(&message, &["hf://org/tiny-bert@v9", "no revision `v9`"]);
    let message = hub.fails("hf://org/tiny-bert/other.bin", 1, &[]);
    says_all(&message, &["no file `other.bin`", "it has model.safetensors, pytorch_model.bin"]);
    hub.server.set(|hub| hub.files.retain(|name, _| name == "README.md"));
    let message = hub.fails(MODEL, 1, &[]);
    says_all(&message, &["neither model.safetensors nor pytorch_model.bin", "no weights"]);
}

#[test]
fn wrong_names_and_addresses_have_code_2() {
    let hub = Hub::new();
    for wrong in
        ["hf://", "hf://org/na me", "hf://org/../name", "hf://org/name@", "hf://datasets/a/b"]
    {
        let message = hub.fails(wrong, 2, &[]);
        assert_eq!(message, Pretrained::open(wrong).unwrap_err().to_string());
        says_all(&message, &[wrong, "expected hf://org/name[@revision][/file]"]);
    }
    let message = hub.fails(MODEL, 2, &[("HF_ENDPOINT", "localhost")]);
    says_all(&message, &["HF_ENDPOINT: `localhost` is not the URL of a hub"]);
    let message = hub.fails(MODEL, 2, &[("HF_TOKEN", "hf_a b")]);
    says_all(&message, &["HF_TOKEN: the token from HF_TOKEN has characters"]);
    assert_eq!(hub.server.requests(), [""; 0]);
}

#[test]
fn a_hub_that_is_not_there_is_named() {
    let hub = Hub::new();
    // A port that was free a moment ago.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let message = hub.fails(MODEL, 1, &[("HF_ENDPOINT", &endpoint)]);
    says_all(
        &message,
        &[MODEL, &format!("cannot reach {endpoint}"), "HF_HUB_OFFLINE=1", "refused"],
    );
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_named() {
    let hub = Hub::new();
    fs::create_dir_all(hub.part().parent().unwrap()).unwrap();
    // Takes no byte, as a full disk.
    std::os::unix::fs::symlink("/dev/full", hub.part()).unwrap();
    let message = hub.fails(MODEL, 1, &[]);
    says_all(&message, &[MODEL, ".incomplete", "No space left", "make room there, or set HF_HOME"]);
    assert!(!hub.blob().exists());
}
