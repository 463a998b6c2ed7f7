//! Augmentation against torchvision's, and the statistics of what is drawn.
