// Says what to do where the page is opened as a file: browsers then load neither modules nor WebAssembly.

if (location.protocol === "file:") {
  document.getElementById("status").textContent =
    "This page is opened as a file, and a browser cannot load Python so. Serve its folder with any web server, such as: " +
    "python -m http.server --bind 127.0.0.1 --directory FOLDER. Then open the address that it prints.";
}
