package scan

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"corridor"
)

// featureCollection says whether a sample begins one GeoJSON document.
func featureCollection(sample []byte) bool {
	head := sample[:min(len(sample), 4096)]
	return sample[0] == '{' && bytes.Contains(head, []byte(`"FeatureCollection"`))
}

// features turns a GeoJSON collection into one feature per line, so that its
// properties are looked into as those of any table.
type features struct {
	name  string
	dec   *json.Decoder
	begun bool
	ended bool
	buf   bytes.Buffer
	n     int64
}

func newFeatures(r io.Reader, name string) *features {
	return &features{name: name, dec: json.NewDecoder(r)}
}

func (f *features) Read(p []byte) (int, error) {
	for f.buf.Len() == 0 {
		if f.ended {
			return 0, io.EOF
		}
		if err := f.fill(); err != nil {
			return 0, err
		}
	}
	return f.buf.Read(p)
}

// fill decodes the next feature.
func (f *features) fill() error {
	if !f.begun {
		if err := f.begin(); err != nil {
			return err
		}
		f.begun = true
	}
	if !f.dec.More() {
		if end, err := f.dec.Token(); err != nil || end != json.Delim(']') {
			return f.bad(errors.New("the list of features does not end"))
		}
		f.ended = true
		return io.EOF
	}
	var raw json.RawMessage
	if err := f.dec.Decode(&raw); err != nil {
		return f.bad(err)
	}
	f.n++
	if err := json.Compact(&f.buf, raw); err != nil {
		return f.bad(err)
	}
	return f.buf.WriteByte('\n')
}

// begin goes to the first feature; members before it are passed over.
func (f *features) begin() error {
	if _, err := f.dec.Token(); err != nil {
		return f.bad(err)
	}
	for f.dec.More() {
		key, err := f.dec.Token()
		if err != nil {
			return f.bad(err)
		}
		if key == "features" {
			if open, err := f.dec.Token(); err != nil || open != json.Delim('[') {
				return f.bad(errors.Join(err, errors.New("features is no list")))
			}
			return nil
		}
		var skip json.RawMessage
		if err := f.dec.Decode(&skip); err != nil {
			return f.bad(err)
		}
	}
	return f.bad(errors.New("there is no list of features"))
}

func (f *features) bad(err error) error {
	if errors.Is(err, io.EOF) { // the end of the file in the middle of the document
		err = io.ErrUnexpectedEOF
	}
	return &corridor.Error{Kind: corridor.Invalid, Where: fmt.Sprintf("%s:feature %d", f.name, f.n+1), Msg: "is not GeoJSON", Err: err, Fix: "export it again as GeoJSON (RFC 7946)"}
}

// track reads GPX and KML: every position, how exactly it is written, and
// whether the positions are somebody's way.
type track struct {
	format    string
	points    int64
	trackLike bool
	box       *box
	digits    int
}

// trackFormat recognises GPX and KML by their root element.
func trackFormat(sample []byte) *track {
	head := string(sample[:min(len(sample), 2048)])
	if !strings.HasPrefix(strings.TrimLeft(head, "\ufeff \r\n\t"), "<") {
		return nil
	}
	for _, f := range [...]string{"gpx", "kml"} {
		if strings.Contains(head, "<"+f+" ") || strings.Contains(head, "<"+f+">") {
			return &track{format: f}
		}
	}
	return nil
}

func (k *track) read(ctx context.Context, name string, r *bufio.Reader) error {
	d := xml.NewDecoder(r)
	inside := ""
	for n := 0; ; n++ {
		if n%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		t, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return &corridor.Error{Kind: corridor.Invalid, Where: name, Msg: "is not readable as XML", Err: err, Fix: "export it again"}
		}
		switch e := t.(type) {
		case xml.StartElement:
			inside = e.Name.Local
			k.element(e)
		case xml.EndElement:
			inside = ""
		case xml.CharData:
			if inside == "coordinates" || inside == "coord" {
				k.coordinates(e)
			}
		}
	}
}

func (k *track) element(e xml.StartElement) {
	switch e.Name.Local {
	case "trkpt", "Track", "LineString":
		k.trackLike = true
	}
	var lat, lon []byte
	for _, a := range e.Attr {
		switch a.Name.Local {
		case "lat":
			lat = []byte(a.Value)
		case "lon":
			lon = []byte(a.Value)
		}
	}
	if lat != nil && lon != nil {
		k.point(lat, lon)
	}
}

// coordinates reads "lon,lat,height lon,lat" and "lon lat height".
func (k *track) coordinates(text []byte) {
	if bytes.IndexByte(text, ',') < 0 {
		if f := bytes.Fields(text); len(f) >= 2 {
			k.point(f[1], f[0])
		}
		return
	}
	for f := range bytes.FieldsSeq(text) {
		if parts := bytes.Split(f, []byte(",")); len(parts) >= 2 {
			k.point(parts[1], parts[0])
		}
	}
}

func (k *track) point(lat, lon []byte) {
	x, d1, ok1 := degreesOf(lat)
	y, d2, ok2 := degreesOf(lon)
	if !ok1 || !ok2 || math.Abs(x) > 90 || math.Abs(y) > 180 {
		return
	}
	k.points++
	k.digits = max(k.digits, d1, d2)
	k.box = k.box.join(&box{x, y, x, y})
}

func (k *track) report(t *table) *Report {
	rep := &Report{File: t.name, Rows: k.points, Warnings: []string{}, lang: t.opts.Lang}
	c := Column{Name: "positions", Type: "text", Values: k.points, Distinct: k.points, Classes: []Finding{}}
	classes := map[string]float64{}
	put := func(id string, confidence float64) {
		kd := t.lex.kind(id)
		for class := range classesOf(kd) {
			c.Classes = append(c.Classes, Finding{class, id, confidence, phrase{"file", []any{label(k.format)}}.in(t.opts.Lang)})
			classes[class] = confidence
		}
	}
	put("coordinates", 0.97)
	if k.trackLike && k.format == "gpx" {
		put("location_track", 0.7)
	}
	rep.Columns = []Column{c}
	rep.Subjects.Basis = say(t.opts.Lang, "basis_none")
	if classes["personal"] >= t.opts.Threshold {
		rep.Subjects = Count{Min: 1, Max: max(1, k.points), Estimate: 1, Basis: say(t.opts.Lang, "basis_records")}
	}
	if k.box != nil {
		rep.Extent = &Extent{South: math.Floor(k.box.south), West: math.Floor(k.box.west), North: math.Ceil(k.box.north), East: math.Ceil(k.box.east), Known: true,
			Precision: metresPerDegree * math.Pow10(-k.digits), Columns: []string{c.Name}}
	}
	rep.Facts = t.facts(rep, classes)
	return rep
}
