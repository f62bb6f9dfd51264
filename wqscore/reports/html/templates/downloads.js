// The files behind the page, unpacked when they are asked for: the bytes that the report's folder has.
(function (report) {
  "use strict";

  async function save(name) {
    const bytes = await report.unpack(report.data.files[name]);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([bytes], { type: "application/octet-stream" }));
    link.download = name;
    link.click();
    URL.revokeObjectURL(link.href);
  }

  for (const button of document.querySelectorAll("button[data-file]")) {
    button.addEventListener("click", () => save(button.dataset.file));
    button.closest(".downloads").hidden = false;
  }
})(report);
