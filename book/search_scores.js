// How the website's search ranks what it finds, in place of Sphinx's own numbers. There a
// query such as "B, N, D" meets every name of the API that has these letters anywhere.
var Scorer = {
  objNameMatch: 26, // a function or class of this very name stands first
  objPartialMatch: 0,
  objPrio: { 0: -10, 1: -10, 2: -10 }, // one that only has it inside stands last
  objPrioDefault: -10,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
