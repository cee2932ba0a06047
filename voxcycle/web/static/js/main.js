// Starts the page: places first, then what the server holds, then the news.

import { startClone } from "./clone_view.js";
import { startConvert } from "./convert_view.js";
import { startDataReport } from "./data_report.js";
import { $ } from "./dom.js";
import { startIntakes } from "./intake.js";
import { startJobs } from "./jobs_view.js";
import { startMake } from "./make_view.js";
import { startMeasure } from "./measure_view.js";
import { attempt } from "./notices.js";
import { startRouter } from "./router.js";
import { listen, store } from "./store.js";
import { startTrain } from "./train_view.js";
import { startVoices } from "./voices_view.js";

startIntakes();
for (const start of [startConvert, startVoices, startMake, startClone, startDataReport, startTrain, startMeasure, startJobs]) start();
store.watch("state", ({ limits }) => {
  const isHere = /^(localhost|127\..*|\[::1\])$/.test(location.hostname);
  const where = isHere ? "this computer" : `the computer ${location.hostname}`;
  $("#life").textContent = `Recordings and conversions stay on ${where}, for ${limits.life_hours} hours.`;
});
startRouter();
listen($("#offline"));
await attempt(() => store.refreshAll()); // also where no events come
document.body.dataset.ready = "";
