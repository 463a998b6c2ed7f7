//! The method, for both forms of the report.

/// A heading and its paragraphs.
pub(crate) struct Part {
    pub(crate) heading: &'static str,
    pub(crate) text: &'static str,
}

/// The method, in order; what the arms are stands before it.
pub(crate) const PARTS: [Part; 6] = [
    Part {
        heading: "Learning rates",
        text: "Every arm has learning rates of its own, chosen from the same grid by the metric on \
               training samples that were held out for it; then it was trained on all of them and \
               tested. This decides much: a known gain of a frozen language model on pictures and \
               other sequences shrank or vanished once each arm's rate was tuned [1]. A rate at the \
               edge of its grid is marked, as a better one may lie beyond. The test set chose nothing.",
    },
    Part {
        heading: "Intervals",
        text: "All are of 95 %. Over seeds: the mean and Student's t. Differences are paired: transfer \
               less control with the same seed, which saw the same training samples [2]. The spread \
               over seeds includes the choice of initial weights, order and training samples, but not \
               that of the test set. With one seed, or seeds that all agree, the interval is that of \
               the test set alone: of an accuracy by Wilson [3] for one arm and by Newcombe [4] for a \
               difference; of a word error rate or an F1 by drawing the test samples anew 2,000 times, \
               the same for both arms of a difference [6].",
    },
    Part {
        heading: "Verdicts",
        text: "The transfer is set against its best control, the one of the best mean on that \
               training size. Gain: the interval of the difference lies on the better side of 0: above, \
               but below for an error rate. Loss: on the other. No \
               gain shown: 0 lies in it, so either there is no difference or more seeds are needed to \
               see it. Several comparisons are tested at once, and one in twenty of such intervals \
               misses the truth.",
    },
    Part {
        heading: "Learning curves",
        text: "Jump-start is the difference at the first epoch that was measured [5]. The area under \
               the curve is the mean of the metric over its base: over the logarithm of the training size, \
               or over epochs on the largest size; by trapezoids. Examples and time to reach the \
               threshold are read off the mean curves, on straight lines between the points that \
               were measured. Unless one was given, the threshold is what scratch has at the end on \
               the largest size.",
    },
    Part {
        heading: "Reliability",
        text: "A diagram has the accuracy of the test samples over the confidence of the most probable \
               class, in 15 bins of equal width; the expected calibration error (ECE) is the mean distance \
               of the two [7, 8], and the Brier score is summed over the classes. After calibration, all \
               logits are divided by one temperature [8]: that of the least loss on the samples held out for \
               the learning rates, in the training that was tried on the others at the rate chosen. No \
               answer changes by it. Figures are means over seeds; the diagrams' forecasts are of all seeds \
               together.",
    },
    Part {
        heading: "Errors",
        text: "The worst errors are those that the transfer was most confident in; of texts and \
               labelled words, the sentences with the most errors. Confusion matrices are summed over \
               seeds. What an answer is due to is told by integrated gradients [9] along the straight \
               way from an input that says nothing (a black picture, silence, padding) to this one: the \
               shares of all parts add up to the difference of the two answers.",
    },
];

/// The references in brackets.
pub(crate) const REFERENCES: [&str; 9] = [
    "Rothermel, Li, Rocktäschel, Foerster: Don't Sweep your Learning Rate under the Rug. 2021. \
     arXiv 2107.12460",
    "Student: The Probable Error of a Mean. Biometrika 6, 1908",
    "Wilson: Probable Inference, the Law of Succession, and Statistical Inference. JASA 22, 1927",
    "Newcombe: Interval Estimation for the Difference between Independent Proportions. Statistics \
     in Medicine 17, 1998 (method 10)",
    "Taylor, Stone: Transfer Learning for Reinforcement Learning Domains: A Survey. JMLR 10, 2009",
    "Efron: Bootstrap Methods: Another Look at the Jackknife. The Annals of Statistics 7, 1979",
    "Naeini, Cooper, Hauskrecht: Obtaining Well Calibrated Probabilities Using Bayesian Binning. AAAI \
     2015",
    "Guo, Pleiss, Sun, Weinberger: On Calibration of Modern Neural Networks. ICML 2017. arXiv \
     1706.04599",
    "Sundararajan, Taly, Yan: Axiomatic Attribution for Deep Networks. ICML 2017. arXiv 1703.01365",
];
