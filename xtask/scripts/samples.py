#!/usr/bin/env python3
"""Make the sample sets that ship with the modality crates: ten digits, seen, heard and read.

    python3 xtask/scripts/samples.py                # make all three again, in place
    python3 xtask/scripts/samples.py audio text     # only these
    python3 xtask/scripts/samples.py --check        # make them in a temporary folder and compare
    python3 xtask/scripts/samples.py --score        # baselines on the committed files, nothing written

It needs Python 3.10 or later with numpy and scikit-learn, and for audio `espeak-ng` on the PATH
(Debian and Ubuntu: `apt install espeak-ng`). It takes about ten seconds. The same versions give
the same bytes; the committed files were made with espeak-ng 1.51, numpy 2.4 and scikit-learn 1.9.
Another espeak-ng may pronounce slightly differently, so a `--check` that differs there is no fault.

What it writes, below the root of the repository:

    crates/image/samples/digits/{train,test}/<digit>/<number>.png   8 x 8 grey, written by hand
    crates/audio/samples/digits/{train,test}/<digit>_<voice>_<take>.wav   8 kHz mono 16-bit
    crates/text/samples/digits/{train,test}.tsv                     text, label; ten languages
"""

import argparse
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import wave
import zlib
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
SPLITS = ("train", "test")


def folder(root, modality):
    return root / "crates" / modality / "samples" / "digits"


def random(seed):
    """numpy's legacy generator: its streams are frozen, so a seed keeps its meaning."""
    return np.random.RandomState(seed)


# ---------------------------------------------------------------- image

TRAIN_IMAGES, TEST_IMAGES = 40, 20  # a class


def write_png(path, grey):
    """An 8-bit greyscale PNG, stored uncompressed: the same bytes whatever zlib is installed."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    height, width = grey.shape
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = b"".join(b"\0" + row.tobytes() for row in grey)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows, 0))
        + chunk(b"IEND", b"")
    )


def read_png(path):
    """Back from `write_png`: the one data chunk lies between a head of 41 bytes and a tail of 16."""
    rows = np.frombuffer(zlib.decompress(path.read_bytes()[41:-16]), np.uint8)
    return rows.reshape(8, 9)[:, 1:]


def make_image(root):
    """A seeded, stratified choice from scikit-learn's digits, named by their place in that set."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    grey = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    for label in range(10):
        chosen = random(label).permutation(np.flatnonzero(digits.target == label))
        train, test = np.split(chosen[: TRAIN_IMAGES + TEST_IMAGES], [TRAIN_IMAGES])
        for split, numbers in zip(SPLITS, (train, test)):
            for number in numbers:
                write_png(root / split / str(label) / f"{number:04}.png", grey[number])


# ---------------------------------------------------------------- audio

WORDS = "zero one two three four five six seven eight nine".split()
RATE = 8000  # Hz
TAKES = 2  # a digit and voice

# Our name of a voice: espeak-ng's accent and variant, and a mean pitch (0..99).
# A test voice shares neither its name nor its variant (the timbre) with any train voice.
VOICES = {
    "train": {
        "us-m1": ("en-us+m1", 45),
        "us-f2": ("en-us+f2", 55),
        "us-klatt2": ("en-us+klatt2", 40),
        "nyc-m7": ("en-us-nyc+m7", 50),
        "gb-m3": ("en-gb+m3", 40),
        "gb-f4": ("en-gb+f4", 55),
        "rp-m2": ("en-gb-x-rp+m2", 50),
        "rp-f1": ("en-gb-x-rp+f1", 60),
        "scotland-m5": ("en-gb-scotland+m5", 45),
        "lancaster-f3": ("en-gb-x-gbclan+f3", 50),
        "midlands-klatt": ("en-gb-x-gbcwmd+klatt", 45),
        "caribbean-m6": ("en-029+m6", 50),
    },
    "test": {
        "us-f5": ("en-us+f5", 50),
        "gb-klatt4": ("en-gb+klatt4", 45),
        "scotland-annie": ("en-gb-scotland+Annie", 50),
        "caribbean-m4": ("en-029+m4", 45),
    },
}


def speak(word, voice, pitch, speed, scratch):
    """One word from espeak-ng as samples in -1..1, and their rate."""
    command = ["espeak-ng", "-v", voice, "-p", str(pitch), "-s", str(speed), "-w", scratch, word]
    subprocess.run(command, check=True)
    with wave.open(scratch, "rb") as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        return samples / 32768, file.getframerate()


def resample(samples, rate):
    """To RATE, by a windowed sinc, 32 zero crossings wide, that cuts at 0.95 of the new Nyquist."""
    step, cut = rate / RATE, 0.95 * RATE / rate
    reach = int(np.ceil(16 / cut))
    padded = np.pad(samples, reach)
    places = np.arange(int(len(samples) / step)) * step
    whole = np.floor(places).astype(int)
    offsets = np.arange(-reach + 1, reach + 1)
    distance = offsets[None, :] - (places - whole)[:, None]
    kernel = cut * np.sinc(cut * distance) * np.cos(np.pi * distance / (2 * reach + 2)) ** 2
    return (padded[whole[:, None] + offsets[None, :] + reach] * kernel).sum(axis=1)


def trim(samples, floor=0.02, keep=0.01):
    """Without the silence at both ends (below `floor` of the peak), but for `keep` seconds."""
    loud = np.flatnonzero(np.abs(samples) > floor * np.abs(samples).max())
    margin = int(keep * RATE)
    return samples[max(loud[0] - margin, 0) : loud[-1] + margin]


def make_audio(root):
    """Every digit in every voice, twice, each take with its own pitch, speed, noise and level."""
    seed = 0
    with tempfile.TemporaryDirectory() as scratch:
        for split in SPLITS:
            (root / split).mkdir(parents=True)
            for name, (voice, pitch) in VOICES[split].items():
                for label, word in enumerate(WORDS):
                    for take in range(TAKES):
                        seed += 1
                        draw = random(seed)
                        spoken = speak(
                            word,
                            voice,
                            pitch=pitch + draw.randint(-12, 13),
                            speed=draw.randint(145, 206),  # words a minute
                            scratch=f"{scratch}/word.wav",
                        )
                        clip = trim(resample(*spoken))
                        noise = draw.standard_normal(len(clip))
                        ratio = draw.uniform(8, 24)  # decibels, signal to noise
                        clip += noise * np.sqrt(np.mean(clip**2)) * 10 ** (-ratio / 20)
                        clip *= 10 ** (draw.uniform(-14, -2) / 20) / np.abs(clip).max()
                        with wave.open(str(root / split / f"{label}_{name}_{take}.wav"), "wb") as file:
                            file.setnchannels(1)
                            file.setsampwidth(2)
                            file.setframerate(RATE)
                            file.writeframes(np.rint(clip * 32767).astype("<i2").tobytes())


# ---------------------------------------------------------------- text

NAMES = "Anna Clara David Emma Eva Lukas Maria Martin Oskar Paul Peter Sofia".split()

# A language: its ten number words as they are said on their own; adverbs of time; and frames.
# Each frame takes all ten words unchanged (a number as a name, so that no gender or plural depends
# on it), and is filled once with each digit, so that nothing but the number word tells the label.
# {n} is the word, {N} the same at the head of a sentence; {who} a name; {when}, {When} an adverb.
# No frame holds an article or a word that means a number in any of the languages here, nor would
# it read as an adjective: French "page neuf", never "bus neuf" (a new bus).
LANGUAGES = {
    "English": {
        "words": "zero one two three four five six seven eight nine",
        "when": "yesterday, today, on Monday, this morning, last night",
        "train": [
            "The right answer is {n}, said {who}.",
            "{When} bus number {n} was late again.",
            "Please open your books at page {n}.",
            "{who} pressed button {n} and waited.",
            "{N} was the number that {who} drew {when}.",
        ],
        "test": [
            "{who} sleeps in room {n}, next door.",
            "{When} the thermometer in the garden showed {n}.",
        ],
    },
    "German": {
        "words": "null eins zwei drei vier fünf sechs sieben acht neun",
        "when": "gestern, heute, am Montag, heute Morgen, letzte Woche",
        "train": [
            "Die richtige Antwort lautet {n}, sagte {who}.",
            "{When} kam der Bus Nummer {n} wieder zu spät.",
            "Bitte schlagt das Buch auf Seite {n} auf.",
            "{who} drückte die Taste {n} und wartete.",
            "{N} ist die Zahl, die {who} gezogen hat.",
        ],
        "test": [
            "{who} schläft in Zimmer {n}, gleich neben der Treppe.",
            "{When} zeigte das Thermometer im Garten {n} an.",
        ],
    },
    "French": {
        "words": "zéro un deux trois quatre cinq six sept huit neuf",
        "when": "hier, lundi, ce matin, hier soir, la semaine dernière",
        "train": [
            "La bonne réponse est {n}, dit {who}.",
            "{When}, le bus numéro {n} est encore arrivé en retard.",
            "Ouvrez le livre à la page {n}, s'il vous plaît.",
            "{who} a appuyé sur la touche {n}.",
            "Le code de {who} se termine par {n}.",
        ],
        "test": [
            "{who} dort dans la chambre {n}, près de l'escalier.",
            "{When}, le thermomètre du jardin affichait {n}.",
        ],
    },
    "Spanish": {
        "words": "cero uno dos tres cuatro cinco seis siete ocho nueve",
        "when": "ayer, hoy, el lunes, esta mañana, anoche",
        "train": [
            "La respuesta correcta es {n}, dijo {who}.",
            "{When} el autobús número {n} llegó tarde otra vez.",
            "Abrid el libro por la página {n}, por favor.",
            "{who} pulsó el botón {n} y esperó.",
            "La clave de {who} termina en {n}.",
        ],
        "test": [
            "{who} duerme en la habitación {n}, junto a la escalera.",
            "{When} el termómetro del jardín marcaba {n}.",
        ],
    },
    "Italian": {
        "words": "zero uno due tre quattro cinque sei sette otto nove",
        "when": "ieri, oggi, lunedì, stamattina, ieri sera",
        "train": [
            "La risposta giusta è {n}, disse {who}.",
            "{When} l'autobus numero {n} è arrivato di nuovo in ritardo.",
            "Aprite il libro a pagina {n}, per favore.",
            "{who} ha premuto il tasto {n} e ha aspettato.",
            "Il codice di {who} finisce con {n}.",
        ],
        "test": [
            "{who} dorme nella camera {n}, vicino alla scala.",
            "{When} il termometro del giardino segnava {n}.",
        ],
    },
    "Dutch": {
        "words": "nul één twee drie vier vijf zes zeven acht negen",
        "when": "gisteren, vandaag, op maandag, vanmorgen, gisteravond",
        "train": [
            "Het juiste antwoord is {n}, zei {who}.",
            "{When} kwam bus nummer {n} weer te laat.",
            "Sla het boek open op bladzijde {n}.",
            "{who} drukte op knop {n} en ging naar boven.",
            "De code van {who} eindigt op {n}.",
        ],
        "test": [
            "{who} slaapt in kamer {n}, naast de trap.",
            "{When} stond de thermometer in de tuin op {n}.",
        ],
    },
    "Portuguese": {
        "words": "zero um dois três quatro cinco seis sete oito nove",
        "when": "ontem, hoje, no sábado, esta manhã, ontem à noite",
        "train": [
            "A resposta certa é {n}, disse {who}.",
            "{When} o autocarro número {n} chegou tarde outra vez.",
            "Abram o livro na página {n}, por favor.",
            "{who} carregou no botão {n} e esperou.",
            "O código de {who} termina em {n}.",
        ],
        "test": [
            "{who} está na sala {n}, ao lado da escada.",
            "{When} o termómetro do jardim marcava {n}.",
        ],
    },
    "Swedish": {
        "words": "noll ett två tre fyra fem sex sju åtta nio",
        "when": "i går, i dag, i måndags, i morse, i går kväll",
        "train": [
            "Rätt svar är {n}, sade {who}.",
            "{When} kom buss nummer {n} för sent igen.",
            "Slå upp boken på sidan {n}.",
            "{who} tryckte på knapp {n} och väntade.",
            "Koden till {who} slutar på {n}.",
        ],
        "test": [
            "{who} sover i rum {n}, bredvid trappan.",
            "{When} visade termometern på gården {n}.",
        ],
    },
    "Danish": {
        "words": "nul et to tre fire fem seks syv otte ni",
        "when": "i går, i dag, i mandags, i morges, i aftes",
        "train": [
            "Det rigtige svar er {n}, sagde {who}.",
            "{When} kom bus nummer {n} for sent igen.",
            "Slå op på side {n} i bogen.",
            "{who} trykkede på knap {n} og ventede.",
            "Telefonnummeret til {who} ender på {n}.",
        ],
        "test": [
            "{who} sover på værelse {n}, ved siden af trappen.",
            "{When} viste termometeret i gården {n}.",
        ],
    },
    "Polish": {
        "words": "zero jeden dwa trzy cztery pięć sześć siedem osiem dziewięć",
        "when": "wczoraj, dzisiaj, w poniedziałek, dziś rano, wczoraj wieczorem",
        "train": [
            "Poprawna odpowiedź brzmi {n}, mówi {who}.",
            "{When} autobus numer {n} znowu się spóźnił.",
            "Proszę otworzyć książkę na stronie {n}.",
            "{who} naciska przycisk numer {n} i czeka.",
            "Kod, który ma {who}, kończy się na {n}.",
        ],
        "test": [
            "{who} śpi w pokoju numer {n}, obok schodów.",
            "{When} termometr w ogrodzie pokazywał {n}.",
        ],
    },
    # Never in train: what its neighbours teach has to carry over.
    "Norwegian": {
        "words": "null én to tre fire fem seks sju åtte ni",
        "when": "i går, i dag, i morges, i går kveld, forrige uke",
        "train": [],
        "test": [
            "{who} sover på rom {n}, ved siden av trappen.",
            "{When} viste termometeret i hagen {n}.",
        ],
    },
}


def capital(text):
    return text[0].upper() + text[1:]


def check_sentence(text, label, meaning):
    """Exactly one word of the sentence is a number in any of the languages, and it is `label`."""
    numbers = [word for word in re.findall(r"\w+", text.lower()) if word in meaning]
    if [meaning[word] for word in numbers] != [label]:
        raise ValueError(f"{text!r} should hold one number, {label}, and holds {numbers}")


def make_text(root):
    """Every frame with every digit once; names and times drawn afresh for each sentence."""
    root.mkdir(parents=True, exist_ok=True)
    meaning = {}
    for language in LANGUAGES.values():
        for label, word in enumerate(language["words"].split()):
            if meaning.setdefault(word, label) != label:
                raise ValueError(f"{word!r} is {label} here and {meaning[word]} elsewhere")
    for seed, split in enumerate(SPLITS):
        draw, rows = random(seed), []
        for language in LANGUAGES.values():
            times = language["when"].split(", ")
            for frame in language[split]:
                for label, word in enumerate(language["words"].split()):
                    who, when = NAMES[draw.randint(len(NAMES))], times[draw.randint(len(times))]
                    text = frame.format(n=word, N=capital(word), who=who, when=when, When=capital(when))
                    check_sentence(text, label, meaning)
                    rows.append(f"{text}\t{label}\n")
        shuffled = [rows[row] for row in draw.permutation(len(rows))]
        (root / f"{split}.tsv").write_text("text\tlabel\n" + "".join(shuffled), "utf-8", newline="\n")


# ---------------------------------------------------------------- baselines


def log_mel(path, bands=40, window=256, hop=80):
    """[frames, bands], each band less its mean over the clip (so that the level does not matter)."""
    with wave.open(str(path), "rb") as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768
    starts = np.arange(0, len(samples) - window, hop)
    frames = samples[starts[:, None] + np.arange(window)] * np.hanning(window)
    power = np.abs(np.fft.rfft(frames)) ** 2
    top = 2595 * np.log10(1 + RATE / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, bands + 2) / 2595) - 1)
    bins = np.linspace(0, RATE / 2, window // 2 + 1)
    rise = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    fall = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    return np.log(power @ np.maximum(0, np.minimum(rise, fall)).T + 1e-6)


def score(root):
    """Print what logistic regression on plain features gets on each test set."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def fit(name, model, sets):
        model.fit(*sets[0])
        print(f"{name:34} train {len(sets[0][1])}  test {len(sets[1][1])}"
              f"  accuracy {model.score(*sets[1]):.3f}")

    def linear():
        return make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))

    sets = []
    for split in SPLITS:
        files = sorted((folder(root, "image") / split).glob("*/*.png"))
        sets.append(([read_png(f).ravel() for f in files], [f.parent.name for f in files]))
    fit("image: 64 pixels", linear(), sets)

    means, parts = [], []
    for split in SPLITS:
        files = sorted((folder(root, "audio") / split).glob("*.wav"))
        mels, labels = [log_mel(f) for f in files], [f.name[0] for f in files]
        means.append(([mel.mean(axis=0) for mel in mels], labels))
        thirds = [[third.mean(axis=0) for third in np.array_split(mel, 3)] for mel in mels]
        parts.append(([np.concatenate(third) for third in thirds], labels))
    fit("audio: mean log-mel", linear(), means)
    fit("audio: log-mel, means of 3 parts", linear(), parts)

    sets = []
    for split in SPLITS:
        lines = (folder(root, "text") / f"{split}.tsv").read_text("utf-8").splitlines()[1:]
        sets.append(tuple(zip(*(row.split("\t") for row in lines))))
    grams = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), sublinear_tf=True)
    model = make_pipeline(grams, LogisticRegression(C=30, max_iter=2000))
    fit("text: 1- to 4-letter grams", model, sets)


# ---------------------------------------------------------------- command line

MAKERS = {"image": make_image, "audio": make_audio, "text": make_text}


def make(root, modality):
    """Write one modality's set below `root`, in place of what was there (its README.md stays)."""
    target = folder(root, modality)
    for split in SPLITS:
        shutil.rmtree(target / split, ignore_errors=True)
        (target / f"{split}.tsv").unlink(missing_ok=True)
    MAKERS[modality](target)
    made = contents(target)
    print(f"{modality}: {len(made)} files, {sum(map(len, made.values()))} bytes")


def contents(target):
    files = (path for path in sorted(target.rglob("*")) if path.is_file() and path.name != "README.md")
    return {str(path.relative_to(target)): path.read_bytes() for path in files}


def check(modality):
    """Whether making a modality's set again gives the files that are there."""
    with tempfile.TemporaryDirectory() as scratch:
        make(Path(scratch), modality)
        here, again = contents(folder(ROOT, modality)), contents(folder(Path(scratch), modality))
    differ = sorted(name for name in here.keys() | again.keys() if here.get(name) != again.get(name))
    print(f"{modality}: {'identical' if not differ else f'{len(differ)} differ, such as {differ[0]}'}")
    return not differ


def main():
    parser = argparse.ArgumentParser(description="Make the sample sets that ship with the crates.")
    parser.add_argument("modality", nargs="*", help="image, audio, text; all three where none is named")
    parser.add_argument("--check", action="store_true", help="compare with the files; write nothing")
    parser.add_argument("--score", action="store_true", help="print baselines; write nothing")
    options = parser.parse_args()
    if unknown := set(options.modality) - set(MAKERS):
        parser.error(f"no such modality: {', '.join(sorted(unknown))}; there are {', '.join(MAKERS)}")
    chosen = options.modality or list(MAKERS)
    if options.score:
        score(ROOT)
    elif options.check:
        if not all([check(modality) for modality in chosen]):
            sys.exit(1)
    else:
        for modality in chosen:
            make(ROOT, modality)


if __name__ == "__main__":
    main()
