package chart

import "image/color"

// Theme is a set of colours.
type Theme int

// The themes: Dark for chats, Light for mail and paper.
const (
	Dark Theme = iota
	Light
)

type palette struct {
	ground, grid, axis color.NRGBA
	text, faint        color.NRGBA
	// alarm is the colour of thresholds and breaches, onAlarm that of text on it.
	alarm, onAlarm color.NRGBA
	series         []color.NRGBA
}

// colours are told apart by most people who confuse red and green too: they
// differ in brightness, and none is near the alarm's red.
func (t Theme) colours() palette {
	if t == Light {
		return palette{
			ground: rgb(0xffffff), grid: rgb(0xeceef2), axis: rgb(0xc3c8d2),
			text: rgb(0x1f2430), faint: rgb(0x6b7280),
			alarm: rgb(0xd92d3a), onAlarm: rgb(0xffffff),
			series: []color.NRGBA{
				rgb(0x2f6fdb), rgb(0xd9822b), rgb(0x2b9a66), rgb(0x8e4ec6), rgb(0x0f8aa6),
				rgb(0xb08900), rgb(0xc2408f), rgb(0x5b6b8c), rgb(0x6aa52a), rgb(0x8a5a34),
			},
		}
	}
	return palette{
		ground: rgb(0x16181d), grid: rgb(0x262a32), axis: rgb(0x4a505c),
		text: rgb(0xe6e8ec), faint: rgb(0x959cab),
		alarm: rgb(0xff5c66), onAlarm: rgb(0x16181d),
		series: []color.NRGBA{
			rgb(0x5aa9ff), rgb(0xf2b155), rgb(0x5fd19a), rgb(0xc39bf5), rgb(0x4fd0e0),
			rgb(0xe9dc6a), rgb(0xf18fc8), rgb(0x9fb0cf), rgb(0xa8d65a), rgb(0xd0a37e),
		},
	}
}

func rgb(hex uint32) color.NRGBA {
	return color.NRGBA{R: uint8(hex >> 16), G: uint8(hex >> 8), B: uint8(hex), A: 0xff}
}

// faded returns c with a share of its opacity.
func faded(c color.NRGBA, share float64) color.NRGBA {
	c.A = uint8(share * 0xff)
	return c
}
