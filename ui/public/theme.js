// Runs before the first paint, so that nobody who chose light sees a dark flash.
(function () {
  try {
    var scheme = localStorage.getItem('hedgewatch.theme') || 'dark';
    if (scheme === 'auto') scheme = matchMedia('(prefers-color-scheme: light)').matches ? 'light' : 'dark';
    document.documentElement.setAttribute('data-mantine-color-scheme', scheme);
  } catch {
    // Storage is blocked: dark, as written in the page.
  }
})();
