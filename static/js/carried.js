"use strict";
// What was typed goes back into its form without a further click; the form asks nothing by itself.
document.getElementById("carried").requestSubmit();
