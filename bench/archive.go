package main

import (
	"archive/zip"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"
)

// archiveRate is how many bars a second are to be checked.
const archiveRate = 2_000_000

// measureArchive checks bars in files as data.binance.vision has them: a zip for each
// symbol and day.
func measureArchive(ctx context.Context, b *bench) ([]result, error) {
	const days = 60
	symbols := either(b, 10, 50)
	b.say("  writing %d zips", symbols*days)
	for n := range symbols {
		if err := writeArchive(b.dir, fmt.Sprintf("S%dUSDT", n), days); err != nil {
			return nil, err
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	bars := symbols * days * 24 * 60
	most := float64(bars) / archiveRate
	took := result{what: fmt.Sprintf("audit of %.1f million bars of %d symbols in zips of a day", float64(bars)/1e6, symbols), unit: seconds(), most: most}
	rate := result{what: "… bars a second", unit: count()}
	cpu := result{what: "… CPU, of two cores", unit: seconds(), most: 2 * most}
	memory := result{what: "… memory, greatest", unit: megabytes(), most: 200e6}
	for range either(b, 2, 5) {
		u, err := b.runAudit(ctx, fmt.Sprintf("%d rows of %d series checked, 0 findings\n", bars, symbols), "--source", b.dir)
		if err != nil {
			return nil, err
		}
		took.ours = append(took.ours, u.took.Seconds())
		rate.ours = append(rate.ours, float64(bars)/u.took.Seconds())
		cpu.ours = append(cpu.ours, u.cpu.Seconds())
		memory.ours = append(memory.ours, u.memory)
	}
	return []result{took, rate, cpu, memory}, nil
}

// writeArchive writes days of minutes, whose prices and volumes are as hard to pack as
// real ones.
func writeArchive(dir, symbol string, days int) error {
	r := rand.New(rand.NewPCG(uint64(len(symbol)), 1))
	first := time.Date(2023, 3, 1, 0, 0, 0, 0, time.UTC)
	price := 6_000_000 // in hundredths
	for n := range days {
		name := symbol + "-1m-" + first.AddDate(0, 0, n).Format(time.DateOnly)
		file, err := os.Create(filepath.Join(dir, name+".zip"))
		if err != nil {
			return err
		}
		packed := zip.NewWriter(file)
		entry, err := packed.Create(name + ".csv")
		if err != nil {
			return err
		}
		for minute := range 24 * 60 {
			at := first.AddDate(0, 0, n).UnixMilli() + int64(minute)*60_000
			end := price + r.IntN(2001) - 1000
			low, high := min(price, end)-r.IntN(500), max(price, end)+r.IntN(500)
			volume, trades := 100_000+r.IntN(10_000_000), 100+r.IntN(3000)
			taker := volume / (2 + r.IntN(3))
			cents := func(n int) string { return fmt.Sprintf("%d.%02d000000", n/100, n%100) }
			_, err := fmt.Fprintf(entry, "%d,%s,%s,%s,%s,%d.%05d000,%d,%d.%08d,%d,%d.%05d000,%d.%08d,0\n", at, cents(price), cents(high), cents(low), cents(end),
				volume/100_000, volume%100_000, at+59_999, volume*6/10, r.IntN(100_000_000), trades, taker/100_000, taker%100_000, taker*6/10-1, r.IntN(100_000_000))
			if err != nil {
				return err
			}
			price = end
		}
		if err := packed.Close(); err != nil {
			return err
		}
		if err := file.Close(); err != nil {
			return err
		}
	}
	return nil
}
