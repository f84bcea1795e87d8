package chart

import (
	"image"
	"image/color"
	"image/draw"
	"math"
	"strings"
	"unicode"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"
)

// A canvas draws shapes and text. Its sizes are pixels of the picture.
type canvas struct {
	img    *image.RGBA
	raster *vector.Rasterizer
	// The three ways in which text is set.
	title, label, strong font.Face
}

// newCanvas makes one whose text is scale times its usual size.
func newCanvas(width, height int, ground color.NRGBA, scale float64) (*canvas, error) {
	c := &canvas{img: image.NewRGBA(image.Rect(0, 0, width, height)), raster: vector.NewRasterizer(0, 0)}
	c.box(c.img.Bounds(), ground)
	for _, f := range []struct {
		face *font.Face
		ttf  []byte
		size float64
	}{
		{&c.title, gobold.TTF, 14.5},
		{&c.label, goregular.TTF, 12},
		{&c.strong, gobold.TTF, 12},
	} {
		parsed, err := opentype.Parse(f.ttf)
		if err != nil {
			return nil, err
		}
		if *f.face, err = opentype.NewFace(parsed, &opentype.FaceOptions{Size: f.size * scale, DPI: 72}); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// box fills a rectangle.
func (c *canvas) box(r image.Rectangle, col color.NRGBA) {
	draw.Draw(c.img, r, image.NewUniform(col), image.Point{}, draw.Over)
}

// polygon fills the shapes that trace draws within the bounds. All must turn the
// same way, or they cancel where they overlap.
func (c *canvas) polygon(bounds image.Rectangle, col color.NRGBA, trace func(path)) {
	bounds = bounds.Intersect(c.img.Bounds())
	if bounds.Empty() {
		return
	}
	c.raster.Reset(bounds.Dx(), bounds.Dy())
	trace(path{c.raster, float32(bounds.Min.X), float32(bounds.Min.Y)})
	c.raster.Draw(c.img, bounds, image.NewUniform(col), image.Point{})
}

// A path adds outlines to a rasterizer whose origin is elsewhere.
type path struct {
	raster *vector.Rasterizer
	x, y   float32
}

func (p path) outline(corners ...spot) {
	for i, at := range corners {
		if i == 0 {
			p.raster.MoveTo(at.x-p.x, at.y-p.y)
		} else {
			p.raster.LineTo(at.x-p.x, at.y-p.y)
		}
	}
	p.raster.ClosePath()
}

// stroke draws a line: one bar for each piece, and a wedge where it bends.
func (p path) stroke(run []spot, width float32) {
	var before spot
	for i := 1; i < len(run); i++ {
		a, b := run[i-1], run[i]
		length := float32(math.Hypot(float64(b.x-a.x), float64(b.y-a.y)))
		if length == 0 {
			continue
		}
		// n points to the side, half the width long.
		n := spot{(b.y - a.y) / length * width / 2, (a.x - b.x) / length * width / 2}
		p.outline(spot{a.x + n.x, a.y + n.y}, spot{b.x + n.x, b.y + n.y}, spot{b.x - n.x, b.y - n.y}, spot{a.x - n.x, a.y - n.y})
		switch bend := before.x*n.y - before.y*n.x; {
		case bend > 0: // The open side of the bend is that of n.
			p.outline(a, spot{a.x + before.x, a.y + before.y}, spot{a.x + n.x, a.y + n.y})
		case bend < 0:
			p.outline(a, spot{a.x - before.x, a.y - before.y}, spot{a.x - n.x, a.y - n.y})
		}
		before = n
	}
}

// disc draws a filled circle as a polygon that nobody can tell from one.
func (p path) disc(at spot, radius float32) {
	const corners = 24
	outline := make([]spot, corners)
	for i := range outline {
		sin, cos := math.Sincos(2 * math.Pi * float64(i) / corners)
		outline[i] = spot{at.x + radius*float32(cos), at.y + radius*float32(sin)}
	}
	p.outline(outline...)
}

// pill draws a rectangle whose short ends are round.
func (c *canvas) pill(r image.Rectangle, col color.NRGBA) {
	c.polygon(r, col, func(p path) {
		radius := float32(min(r.Dx(), r.Dy())) / 2
		var outline []spot
		for i := range 4 {
			corner := spot{float32(r.Max.X) - radius, float32(r.Max.Y) - radius}
			if i == 1 || i == 2 {
				corner.x = float32(r.Min.X) + radius
			}
			if i >= 2 {
				corner.y = float32(r.Min.Y) + radius
			}
			const pieces = 8
			for j := range pieces + 1 {
				sin, cos := math.Sincos(math.Pi / 2 * (float64(i) + float64(j)/pieces))
				outline = append(outline, spot{corner.x + radius*float32(cos), corner.y + radius*float32(sin)})
			}
		}
		p.outline(outline...)
	})
}

// An align is which part of a text is at its x.
type align float32

const (
	left   align = 0
	middle align = 0.5
	right  align = 1
)

// text writes s with its baseline at y.
func (c *canvas) text(face font.Face, s string, x float32, y int, a align, col color.NRGBA) {
	x -= float32(a) * c.width(face, s)
	d := font.Drawer{Dst: c.img, Src: image.NewUniform(col), Face: face, Dot: fixed.Point26_6{
		X: fixed.Int26_6(x * 64), Y: fixed.I(y),
	}}
	d.DrawString(s)
}

func (*canvas) width(face font.Face, s string) float32 {
	return float32(font.MeasureString(face, s)) / 64
}

// fit shortens s to a width, and says so with an ellipsis.
func (c *canvas) fit(face font.Face, s string, width float32) string {
	s = printable(s)
	if c.width(face, s) <= width {
		return s
	}
	const ellipsis = "…"
	width -= c.width(face, ellipsis)
	used := fixed.Int26_6(0)
	for i, r := range s {
		advance, _ := face.GlyphAdvance(r)
		if used += advance; float32(used)/64 > width {
			if i == 0 {
				return ""
			}
			return strings.TrimRight(s[:i], " ,{") + ellipsis
		}
	}
	return s
}

// printable bounds a text from outside, and turns what has no shape into spaces.
func printable(s string) string {
	const enough = 1000 // More than fits into the largest picture.
	s = strings.ToValidUTF8(s[:min(len(s), enough)], "")
	return strings.Map(func(r rune) rune {
		if unicode.IsGraphic(r) {
			return r
		}
		return ' '
	}, s)
}
