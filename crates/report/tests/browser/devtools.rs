//! A headless Chromium, driven through the pipe of its DevTools protocol: messages of JSON, each
//! with a NUL behind it, in on its descriptor 3 and out on 4.

use std::{
    env,
    error::Error,
    ffi::OsString,
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

pub(crate) type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

/// What a person's Chromium may be called.
const NAMES: [&str; 5] = [
    "chromium",
    "chromium-browser",
    "chrome-headless-shell",
    "google-chrome",
    "google-chrome-stable",
];

/// How long an answer may take: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(120);

/// The Chromium to test with: `CHROME`, or one on the `PATH`.
pub(crate) fn find() -> Option<PathBuf> {
    if let Some(chosen) = env::var_os("CHROME").filter(|path| !path.is_empty()) {
        return Some(chosen.into());
    }
    let path = env::var_os("PATH")?;
    let folders: Vec<PathBuf> = env::split_paths(&path).collect();
    let places = NAMES.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    places.into_iter().find(|place| place.is_file())
}

/// A browser with one page.
pub(crate) struct Page {
    browser: Child,
    input: ChildStdin,
    output: Receiver<Value>,
    session: Option<String>,
    sent: u64,
    /// Everything that the browser told by itself.
    events: Vec<Value>,
    /// What the browser writes; removed with the page.
    _home: tempfile::TempDir,
}

impl Page {
    /// Starts the browser.
    pub(crate) fn launch(program: &Path) -> Result<Self> {
        let home = tempfile::tempdir()?;
        let mut folder = OsString::from("--user-data-dir=");
        folder.push(home.path());
        // The shell turns the pipes that it has into the descriptors that the browser wants.
        let mut browser = Command::new("sh")
            .args(["-c", "exec \"$@\" 3<&0 4>&1 0</dev/null 1>&2", "sh"])
            .arg(program)
            .args(["--headless", "--remote-debugging-pipe", "--no-first-run", "--disable-gpu"])
            // The page is our own file, and root and containers have no sandbox.
            .args(["--no-sandbox", "--disable-dev-shm-usage", "--mute-audio", "--hide-scrollbars"])
            .arg("--autoplay-policy=no-user-gesture-required")
            .arg(folder)
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let input = browser.stdin.take().ok_or("no stdin")?;
        let mut reader = BufReader::new(browser.stdout.take().ok_or("no stdout")?);
        let (sender, output) = mpsc::channel();
        thread::spawn(move || {
            let mut message = Vec::new();
            while reader.read_until(0, &mut message).is_ok_and(|length| length > 0) {
                message.pop();
                let Ok(value) = serde_json::from_slice(&message) else { break };
                if sender.send(value).is_err() {
                    break;
                }
                message.clear();
            }
        });
        let (session, events) = (None, Vec::new());
        let mut page = Self { browser, input, output, session, sent: 0, events, _home: home };
        let target = page.call("Target.createTarget", json!({"url": "about:blank"}))?;
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let attached = page.call("Target.attachToTarget", attach)?;
        page.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            page.call(&format!("{domain}.enable"), json!({}))?;
        }
        Ok(page)
    }

    /// Calls a method of the protocol and waits for its result.
    pub(crate) fn call(&mut self, method: &str, params: Value) -> Result<Value> {
        self.sent += 1;
        let mut message = json!({"id": self.sent, "method": method, "params": params});
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.input.write_all(format!("{message}\0").as_bytes())?;
        loop {
            let answer = self.next()?;
            if answer["id"] != json!(self.sent) {
                self.events.push(answer);
            } else if answer["error"].is_null() {
                return Ok(answer["result"].clone());
            } else {
                return Err(format!("{method}: {}", answer["error"]).into());
            }
        }
    }

    fn next(&mut self) -> Result<Value> {
        self.output.recv_timeout(PATIENCE).map_err(|_| "the browser does not answer".into())
    }

    /// Opens a file and waits until it has loaded.
    pub(crate) fn open(&mut self, file: &Path) -> Result {
        self.events.clear();
        let url = format!("file://{}", file.display());
        self.call("Page.navigate", json!({"url": url}))?;
        while !self.events.iter().any(|event| event["method"] == "Page.loadEventFired") {
            let event = self.next()?;
            self.events.push(event);
        }
        Ok(())
    }

    /// The value of an expression of JavaScript, awaited if it is a promise.
    pub(crate) fn evaluate(&mut self, expression: &str) -> Result<Value> {
        let params = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let answer = self.call("Runtime.evaluate", params)?;
        match &answer["exceptionDetails"] {
            Value::Null => Ok(answer["result"]["value"].clone()),
            thrown => Err(format!("{expression}: {thrown}").into()),
        }
    }

    /// Makes the page so wide, in pixels, and lets the system ask for `light` or `dark`.
    pub(crate) fn show(&mut self, width: u32, scheme: &str) -> Result {
        let size =
            json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600});
        self.call("Emulation.setDeviceMetricsOverride", size)?;
        let feature = json!({"name": "prefers-color-scheme", "value": scheme});
        self.call("Emulation.setEmulatedMedia", json!({"features": [feature]}))?;
        Ok(())
    }

    /// A picture of the first element that a selector finds, down to 5,000 pixels, for people to look
    /// at: `NAME.png` in the target folder.
    pub(crate) fn picture(&mut self, selector: &str, name: &str) -> Result {
        let find = format!(
            "(() => {{ const r = document.querySelector({}).getBoundingClientRect(); \
             return {{x: 0, y: r.y + scrollY, width: innerWidth, height: Math.min(r.height, 5000), \
             scale: 1}} }})()",
            json!(selector)
        );
        let clip = self.evaluate(&find)?;
        let params = json!({"format": "png", "captureBeyondViewport": true, "clip": clip});
        let shot = self.call("Page.captureScreenshot", params)?;
        let bytes = STANDARD.decode(shot["data"].as_str().ok_or("no picture")?)?;
        fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.png")), bytes)?;
        Ok(())
    }

    /// What the browser complained of since the page was opened: errors, breaches of the content
    /// security policy, and whatever was asked of a network.
    pub(crate) fn complaints(&mut self) -> Result<Vec<String>> {
        // What was on its way has arrived when this is answered.
        self.evaluate("0")?;
        let complaint = |event: &Value| {
            let params = &event["params"];
            match event["method"].as_str()? {
                "Runtime.exceptionThrown" => Some(params["exceptionDetails"].to_string()),
                "Runtime.consoleAPICalled" | "Log.entryAdded" => Some(params.to_string()),
                "Network.requestWillBeSent" => {
                    let url = params["request"]["url"].as_str()?;
                    let local = ["file:", "data:"].iter().any(|scheme| url.starts_with(scheme));
                    (!local).then(|| format!("asked for {url}"))
                }
                _ => None,
            }
        };
        Ok(self.events.iter().filter_map(complaint).collect())
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.browser.kill();
        let _ = self.browser.wait();
    }
}
