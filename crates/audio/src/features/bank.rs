//! Filter banks: from a power spectrum to triangular bands on the mel scale.

/// What is meant by the mel scale, and how the triangles stand on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mel {
    /// HTK's `2595 log10(1 + f / 700)`; triangles over frequency, one high: torchaudio.
    Htk,
    /// Slaney's: linear up to 1 kHz, a logarithm above; triangles over frequency, of one area:
    /// librosa, Whisper.
    Slaney,
    /// HTK's, but the triangles are straight on the mel scale: Kaldi.
    Kaldi,
}

/// The shape of a filter bank.
#[derive(Debug, Clone, Copy)]
pub(super) struct BankConfig {
    /// In Hz.
    pub(super) sample_rate: u32,
    /// The length of the Fourier transform, in samples.
    pub(super) fft: usize,
    /// The number of bands.
    pub(super) bands: usize,
    /// The lower edge of the lowest band, in Hz.
    pub(super) low_hz: f64,
    /// The upper edge of the highest band, in Hz.
    pub(super) high_hz: f64,
    pub(super) mel: Mel,
}

/// A row of triangles.
#[derive(Debug, Clone)]
pub(super) struct Bank(Vec<Band>);

/// One triangle: the weights of the bins from `first` on.
#[derive(Debug, Clone)]
struct Band {
    first: usize,
    weights: Vec<f32>,
}

impl Bank {
    /// A band that is narrower than the distance of two bins may hold none; it is then always
    /// silent.
    pub(super) fn new(config: BankConfig) -> Self {
        let BankConfig { sample_rate, fft, bands, low_hz, high_hz, mel } = config;
        let (low, high) = (mel.of(low_hz), mel.of(high_hz));
        let edge = |i: usize| low + (high - low) * i as f64 / (bands + 1) as f64;
        let bin_hz = f64::from(sample_rate) / fft as f64;
        let bins = fft / 2 + 1;
        let band = |band: usize| {
            let edges = [edge(band), edge(band + 1), edge(band + 2)];
            let hz = edges.map(|edge| mel.hz(edge));
            // The bins strictly between the edges, where the triangle is above zero.
            let first = ((hz[0] / bin_hz).floor() as usize + 1).min(bins);
            let end = ((hz[2] / bin_hz).ceil() as usize).clamp(first, bins);
            let height = |bin: usize| {
                let f = bin as f64 * bin_hz;
                let height = match mel {
                    Mel::Htk => triangle(hz, f),
                    Mel::Slaney => triangle(hz, f) * 2. / (hz[2] - hz[0]),
                    Mel::Kaldi => triangle(edges, mel.of(f)).max(0.),
                };
                height as f32
            };
            Band { first, weights: (first..end).map(height).collect() }
        };
        Self((0..bands).map(band).collect())
    }

    /// The power in each band.
    pub(super) fn apply<'b>(&'b self, power: &'b [f32]) -> impl Iterator<Item = f32> + 'b {
        self.0.iter().map(|band| {
            power[band.first..].iter().zip(&band.weights).map(|(p, w)| p * w).sum::<f32>()
        })
    }
}

/// The height at `x` of a triangle of height 1.
fn triangle([left, peak, right]: [f64; 3], x: f64) -> f64 {
    ((x - left) / (peak - left)).min((right - x) / (right - peak))
}

impl Mel {
    /// Where Slaney's scale turns from a line to a logarithm: in Hz, in mel, and Hz a mel below.
    const KNEE: (f64, f64, f64) = (1000., 15., 200. / 3.);

    /// Slaney's logarithm: 27 mel for a factor of 6.4.
    fn step() -> f64 {
        6.4_f64.ln() / 27.
    }

    fn of(self, hz: f64) -> f64 {
        let (knee_hz, knee, slope) = Self::KNEE;
        match self {
            Self::Htk | Self::Kaldi => 2595. * (1. + hz / 700.).log10(),
            Self::Slaney if hz < knee_hz => hz / slope,
            Self::Slaney => knee + (hz / knee_hz).ln() / Self::step(),
        }
    }

    fn hz(self, mel: f64) -> f64 {
        let (knee_hz, knee, slope) = Self::KNEE;
        match self {
            Self::Htk | Self::Kaldi => 700. * (10_f64.powf(mel / 2595.) - 1.),
            Self::Slaney if mel < knee => mel * slope,
            Self::Slaney => knee_hz * ((mel - knee) * Self::step()).exp(),
        }
    }
}
