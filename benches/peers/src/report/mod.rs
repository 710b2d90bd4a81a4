//! What is shown of the figures: a page of tables, and a picture for each work.

mod chart;
mod page;
mod versions;

use crate::engines::Peer;
use crate::journal::{Figures, Journal, Subject};
use crate::work::Work;

pub use chart::draw;
pub use page::{page, readme_rows};

/// What a report is of.
#[derive(Debug)]
pub struct Report<'j> {
    /// The figures.
    pub journal: &'j Journal,
    /// The engines, in the order of the columns. The first is what the others are compared with.
    pub peers: Vec<&'static Peer>,
    /// Pairs in the stores.
    pub pairs: u64,
    /// Rounds, of which it shows medians.
    pub rounds: usize,
    /// Free pages of the files for flatness.
    pub free: Vec<u64>,
}

impl Report<'_> {
    fn rounds(&self, work: &Work, peer: &Peer) -> Vec<Option<Figures>> {
        let subject =
            |round| Subject { work: work.name.to_owned(), round, engine: peer.name.to_owned(), pairs: self.pairs };
        (0..self.rounds).map(|round| self.journal.figures(&subject(round))).collect()
    }

    /// The median of the rounds; none if there is no figure.
    fn median(&self, work: &Work, peer: &Peer, figure: impl Fn(&Figures) -> f64) -> Option<f64> {
        median(self.rounds(work, peer).iter().flatten().map(figure).collect())
    }

    /// How many times as fast as the first engine: the median of the rounds' ratios.
    fn ratio(&self, work: &Work, peer: &Peer, figure: impl Fn(&Figures) -> f64) -> Option<f64> {
        let first = self.rounds(work, self.peers.first()?);
        let both = first.iter().zip(self.rounds(work, peer));
        median(both.filter_map(|(first, own)| Some(figure(first.as_ref()?) / figure(own.as_ref()?))).collect())
    }
}

fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied()
}

#[cfg(test)]
mod tests;
