// What stands where on the workbench.

export const LAYOUT = `
<div class="start"><div class="subject"></div>
  <button type="button" class="guide">guided tour</button>
  <button type="button" class="link">copy a link to this</button>
  <button type="button" class="reset">start afresh</button>
  <span class="said" role="status"></span></div>
<div class="pick">
  <div class="gallery" role="group" aria-label="picture"></div>
  <div class="own"><label>own picture <input type="file" accept="image/*"></label>
    <span>or drag it here or paste it; it never leaves this browser</span>
    <span class="camera-place"></span>
    <button type="button" class="paint" aria-expanded="false">paint a stack</button>
  </div>
  <div class="painting" hidden></div>
</div>
<p class="problem" role="alert"></p>
<p class="busy" role="status"></p>
<div class="panes">
  <div class="before"><canvas tabindex="0" role="application"></canvas>
    <span>as it is: <b></b></span></div>
  <div class="after"><canvas tabindex="0" role="application"></canvas>
    <span>as you changed it: <b></b></span></div>
  <div class="outcome">
    <p class="prediction">prediction: <b></b><span></span></p>
    <div class="bars" role="list" aria-label="probabilities"></div>
    <p class="reminder" hidden>A line marks where the bar was before.</p></div>
</div>
<p class="sentence" role="status"></p>
<div class="controls"></div>
<details class="change" open><summary>Change something</summary>
  <fieldset class="tools"><legend>a click on a patch</legend></fieldset>
  <div class="switches"></div>
  <div class="heads"></div>
  <div class="copying"></div>
  <p class="changes"></p></details>
<details class="lens" open><summary>The answer as it forms</summary>
  <p>The head reads the last layer. Here it reads every layer: first <span></span>, then
    each patch. What can be read off is not yet what the model uses.</p>
  <div class="readings" role="list"></div>
  <p class="legend"></p></details>
<details class="curves"><summary>May the map be believed?</summary>
  <p>Patches leave in the order of the map, the brightest first (deletion), or come in
    that order (insertion). If the map is right, the answer goes early and comes early.
    The line to beat is a random order.</p>
  <div class="charts"></div>
  <p class="verdict" role="status"></p></details>
<div class="tour" hidden></div>`;
