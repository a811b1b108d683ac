package health_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"bootswain/health"
)

// answers serves the report, three seconds after it was written.
func answers(t *testing.T, r health.Report) http.Handler {
	t.Helper()
	path := filepath.Join(t.TempDir(), "status.json")
	if err := r.Write(path); err != nil {
		t.Fatal(err)
	}
	return health.Handler(path, func() time.Duration { return r.Uptime + 3*time.Second })
}

func pageOf(t *testing.T, r health.Report) string {
	t.Helper()
	ask := httptest.NewRequest(http.MethodGet, "/", nil)
	ask.Header.Set("Accept", "text/html")
	w := httptest.NewRecorder()
	answers(t, r).ServeHTTP(w, ask)
	return w.Body.String()
}

// TestPageIsWhole: each element is closed where it belongs, nothing is run, and
// nothing is fetched.
func TestPageIsWhole(t *testing.T) {
	elements := strings.Fields("html head meta title style body header h1 b p main section small span i h2 ul li figure figcaption div svg path ol rect dl dt dd table tr th td footer a")
	for state, report := range states {
		d := xml.NewDecoder(strings.NewReader(pageOf(t, report())))
		for {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", state, err)
			}
			e, ok := token.(xml.StartElement)
			if !ok {
				continue
			}
			if !slices.Contains(elements, e.Name.Local) {
				t.Errorf("%s: element %s", state, e.Name.Local)
			}
			for _, a := range e.Attr {
				if name := a.Name.Local; name == "src" || strings.HasPrefix(name, "on") || name == "href" && a.Value != "/health" && a.Value != "/metrics" {
					t.Errorf("%s: %s=%q of %s", state, name, a.Value, e.Name.Local)
				}
			}
		}
	}
}

// TestContrast: in both themes people can read every text (WCAG 2.2, AA: 4.5), and
// see every line that means something (3).
func TestContrast(t *testing.T) {
	sheet, err := os.ReadFile("page.css")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(sheet), "url(") || strings.Contains(string(sheet), "@import") {
		t.Error("the style sheet fetches something")
	}
	themes := regexp.MustCompile(`:root\{([^}]*)\}`).FindAllStringSubmatch(string(sheet), -1)
	if len(themes) != 2 {
		t.Fatalf("%d themes", len(themes))
	}
	for i, theme := range themes {
		luminance := map[string]float64{}
		for _, m := range regexp.MustCompile(`--(\w+):#(\w+)`).FindAllStringSubmatch(theme[1], -1) {
			luminance[m[1]] = bright(m[2])
		}
		for _, pair := range strings.Fields("ink/bg dim/bg bar/bg ink/box dim/box pass/box warn/box fail/box on/pass on/warn on/fail") {
			checkContrast(t, luminance, i, pair, 4.5)
		}
		for _, pair := range strings.Fields("bar/box base/box") {
			checkContrast(t, luminance, i, pair, 3)
		}
	}
}

func checkContrast(t *testing.T, luminance map[string]float64, theme int, pair string, least float64) {
	t.Helper()
	a, b, _ := strings.Cut(pair, "/")
	x, y := max(luminance[a], luminance[b]), min(luminance[a], luminance[b])
	if c := (x + 0.05) / (y + 0.05); c < least {
		t.Errorf("theme %d: %s has a contrast of %.2f, at least %.1f is due", theme, pair, c, least)
	}
}

// bright is WCAG's relative luminance of a colour of three or six digits.
func bright(hex string) float64 {
	if len(hex) == 3 {
		hex = string([]byte{hex[0], hex[0], hex[1], hex[1], hex[2], hex[2]})
	}
	v, _ := strconv.ParseUint(hex, 16, 32) // the pattern takes nothing else into account
	part := func(shift int) float64 {
		c := float64(v>>shift&0xff) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 0.2126*part(16) + 0.7152*part(8) + 0.0722*part(0)
}

// TestScreenshots takes the pictures of the documentation, and looks in a browser
// whether anything is wider than a phone. make screenshots runs it.
func TestScreenshots(t *testing.T) {
	into := os.Getenv("BOOTSWAIN_SCREENSHOTS")
	if into == "" {
		t.Skip("make screenshots runs this")
	}
	for state, report := range states {
		file := filepath.Join(t.TempDir(), "page.html")
		measure := "<script>document.title=document.documentElement.scrollWidth</script></body>"
		if err := os.WriteFile(file, []byte(strings.Replace(pageOf(t, report()), "</body>", measure, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		if dom := browse(t, "--window-size=360,800", "--dump-dom", "file://"+file); !strings.Contains(dom, "<title>360</title>") {
			_, title, _ := strings.Cut(dom, "<title>")
			t.Errorf("%s: on a phone of 360 pixels it takes %.4s", state, title)
		}
	}
	for _, shot := range []struct{ name, state, size, theme string }{
		{"status-slow", "slow", "1000,2330", "light"},
		{"status-failing", "failing", "1000,880", "dark"},
		{"status-phone", "failing", "360,1000", "light"},
	} {
		server := httptest.NewServer(answers(t, states[shot.state]()))
		file := filepath.Join(into, shot.name+".png")
		browse(t, "--window-size="+shot.size, "--blink-settings=preferredColorScheme="+map[string]string{"dark": "0", "light": "1"}[shot.theme],
			"--screenshot="+file, server.URL)
		server.Close()
		if err := reduce(file); err != nil {
			t.Fatal(err)
		}
	}
}

// reduce keeps the 256 colours that are most of a picture, which halves its file.
func reduce(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	all, err := png.Decode(f)
	if err != nil {
		return err
	}
	box, count := all.Bounds(), map[color.Color]int{}
	for y := range box.Dy() {
		for x := range box.Dx() {
			count[all.At(x, y)]++
		}
	}
	colours := slices.SortedFunc(maps.Keys(count), func(a, b color.Color) int { return count[b] - count[a] })
	few := image.NewPaletted(box, colours[:min(256, len(colours))])
	draw.Draw(few, box, all, image.Point{}, draw.Src)
	var out bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, few); err != nil {
		return err
	}
	return os.WriteFile(file, out.Bytes(), 0o644) //nolint:gosec // documentation
}

func browse(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "chromium-headless-shell",
		append([]string{"--no-sandbox", "--disable-gpu", "--hide-scrollbars"}, args...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
