//! A headless Chromium, driven through the pipe of its DevTools protocol: messages of JSON, each
//! with a NUL behind it, in on its descriptor 3 and out on 4.

use std::{
    error::Error,
    ffi::OsString,
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

/// What a test returns.
pub type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

/// How long an answer may take: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(120);

/// A browser with one page.
#[derive(Debug)]
pub struct Page {
    browser: Child,
    input: ChildStdin,
    output: Receiver<Value>,
    session: Option<String>,
    /// Where the open page came from: it may ask for more from there, and of nobody else.
    origin: String,
    sent: u64,
    /// Everything that the browser told by itself.
    events: Vec<Value>,
    /// What the browser writes; removed with the page.
    _home: tempfile::TempDir,
}

impl Page {
    /// Starts the browser, with arguments besides its own.
    ///
    /// # Errors
    /// If it does not start or does not answer.
    pub fn launch(program: &Path, arguments: &[&str]) -> Result<Self> {
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
            .args(arguments)
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
        let (session, origin, events) = (None, String::new(), Vec::new());
        let mut page =
            Self { browser, input, output, session, origin, sent: 0, events, _home: home };
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
    ///
    /// # Errors
    /// Those of the protocol; or if the browser is gone.
    pub fn call(&mut self, method: &str, params: Value) -> Result<Value> {
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

    /// Opens a page of a `file://` or a server, and waits until it has loaded.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub fn open(&mut self, url: &str) -> Result {
        self.events.clear();
        // `http://host:port`, or `file://`.
        self.origin = url.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
        self.call("Page.navigate", json!({"url": url}))?;
        while !self.events.iter().any(|event| event["method"] == "Page.loadEventFired") {
            let event = self.next()?;
            self.events.push(event);
        }
        Ok(())
    }

    /// The value of an expression of JavaScript, awaited if it is a promise.
    ///
    /// # Errors
    /// What it throws.
    pub fn evaluate(&mut self, expression: &str) -> Result<Value> {
        let params = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let answer = self.call("Runtime.evaluate", params)?;
        match &answer["exceptionDetails"] {
            Value::Null => Ok(answer["result"]["value"].clone()),
            thrown => Err(format!("{expression}: {thrown}").into()),
        }
    }

    /// Waits until an expression of JavaScript is true of the page.
    ///
    /// # Errors
    /// What it throws; or that it does not come true.
    pub fn until(&mut self, expression: &str) -> Result {
        let start = Instant::now();
        while self.evaluate(&format!("Boolean({expression})"))? != json!(true) {
            if start.elapsed() > PATIENCE {
                return Err(format!("never true: {expression}").into());
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Chooses files in the `<input type=file>` that a selector finds, as a person does in the dialog.
    ///
    /// # Errors
    /// If there is none.
    pub fn choose(&mut self, selector: &str, files: &[&Path]) -> Result {
        let document = self.call("DOM.getDocument", json!({}))?;
        let find = json!({"nodeId": document["root"]["nodeId"], "selector": selector});
        let node = self.call("DOM.querySelector", find)?;
        self.call("DOM.setFileInputFiles", json!({"nodeId": node["nodeId"], "files": files}))?;
        Ok(())
    }

    /// Types a text where the focus is.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub fn write(&mut self, text: &str) -> Result {
        self.call("Input.insertText", json!({"text": text}))?;
        Ok(())
    }

    /// Presses a key, by its name and its Windows code.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub fn press(&mut self, key: &str, code: u32) -> Result {
        // What a key writes, besides that it is pressed: Enter presses buttons by that.
        let text = if key == "Enter" { "\r" } else { "" };
        for kind in ["keyDown", "keyUp"] {
            let params = json!({
                "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text,
            });
            self.call("Input.dispatchKeyEvent", params)?;
        }
        Ok(())
    }

    /// Makes the page so wide, in pixels, and lets the system ask for `light` or `dark`.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub fn show(&mut self, width: u32, scheme: &str) -> Result {
        let size =
            json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600});
        self.call("Emulation.setDeviceMetricsOverride", size)?;
        let feature = json!({"name": "prefers-color-scheme", "value": scheme});
        self.call("Emulation.setEmulatedMedia", json!({"features": [feature]}))?;
        Ok(())
    }

    /// A picture of the first element that a selector finds, down to 5,000 pixels, as a PNG file, for
    /// people to look at.
    ///
    /// # Errors
    /// If there is no such element, or the file cannot be written.
    pub fn picture(&mut self, selector: &str, file: &Path) -> Result {
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
        fs::write(file, bytes)?;
        Ok(())
    }

    /// What the browser complained of since the page was opened: errors, breaches of the content
    /// security policy, and whatever was asked of others than the page's own server.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub fn complaints(&mut self) -> Result<Vec<String>> {
        // What was on its way has arrived when this is answered.
        self.evaluate("0")?;
        let own = format!("{}/", self.origin);
        let complaint = |event: &Value| {
            let params = &event["params"];
            match event["method"].as_str()? {
                "Runtime.exceptionThrown" => Some(params["exceptionDetails"].to_string()),
                "Runtime.consoleAPICalled" | "Log.entryAdded" => Some(params.to_string()),
                "Network.requestWillBeSent" => {
                    let url = params["request"]["url"].as_str()?;
                    let local = [&own, "data:"].iter().any(|start| url.starts_with(start));
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
