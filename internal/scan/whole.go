package scan

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// whole is a file whose format says what it holds: sequences, variants,
// biometric records, medical messages. Its records are counted, its people
// bounded, and it has no columns to look into.
type whole struct {
	format  string
	kind    string // of the lexicon
	binary  bool   // nothing but the beginning is looked at
	line    func(w *whole, line []byte)
	records int64

	human    bool   // the file names the human genome
	other    string // or another species
	samples  int64  // of people, where the file lists them; -1: it does not
	bases    int64
	residues int64 // letters that only proteins have
	phase    int   // of four lines
	seen     map[string]bool
}

// wholeFormat recognises a file by how it begins; nil if it is another one.
func wholeFormat(sample []byte) *whole {
	begins := func(s string) bool { return bytes.HasPrefix(sample, []byte(s)) }
	w := &whole{samples: -1, seen: map[string]bool{}}
	set := func(format, kind string, line func(*whole, []byte)) *whole {
		w.format, w.kind, w.line, w.binary = format, kind, line, line == nil
		return w
	}
	switch {
	case begins("##fileformat=VCF"):
		return set("vcf", "genetic", (*whole).vcf)
	case begins("@HD\tVN:") || begins("@SQ\tSN:"):
		return set("sam", "genetic", (*whole).sam)
	case fastq(sample):
		return set("fastq", "genetic", (*whole).fastq)
	case fasta(sample):
		return set("fasta", "genetic", (*whole).fasta)
	case sample[0] == '#' && bytes.Contains(sample[:min(len(sample), 8192)], []byte("# rsid\tchromosome\tposition\tgenotype")):
		w.human, w.samples = true, 1
		return set("genotypes", "genetic", (*whole).genotypes)
	case begins(`MSH|^~\&`):
		return set("hl7", "health", (*whole).hl7)
	case len(sample) > 132 && string(sample[128:132]) == "DICM":
		return set("dicom", "health", nil)
	case begins("FMR\x00") || begins("FIR\x00") || begins("FAC\x00") || begins("IIR\x00"):
		return set("iso19794", "biometric", nil)
	case begins("\xff\xa0\xff\xa4") || begins("\xff\xa0\xff\xa8"):
		return set("wsq", "biometric", nil)
	case begins("CRAM\x03") || begins("CRAM\x02"):
		return set("cram", "genetic", nil)
	}
	return nil
}

// fasta wants a name and a line of bases or residues below it.
func fasta(sample []byte) bool {
	if sample[0] != '>' {
		return false
	}
	_, rest, ok := bytes.Cut(sample, []byte("\n"))
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	line = bytes.TrimSpace(line)
	if !ok || len(line) < 10 {
		return false
	}
	for _, c := range line {
		if !(c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '*' || c == '-') {
			return false
		}
	}
	return true
}

// fastq wants four lines: a name, bases, a plus and as many qualities.
func fastq(sample []byte) bool {
	if sample[0] != '@' {
		return false
	}
	lines := bytes.SplitN(sample, []byte("\n"), 5)
	return len(lines) >= 4 && len(lines[2]) > 0 && lines[2][0] == '+' && len(lines[1]) >= 10 &&
		len(bytes.TrimSpace(lines[1])) == len(bytes.TrimSpace(lines[3])) && bases(append(bytes.TrimSpace(lines[1]), "acgtacgtacgt"...))
}

func (w *whole) vcf(line []byte) {
	switch {
	case bytes.HasPrefix(line, []byte("##reference")) || bytes.HasPrefix(line, []byte("##contig")) || bytes.HasPrefix(line, []byte("##assembly")):
		w.named(line)
	case bytes.HasPrefix(line, []byte("#CHROM")):
		w.samples = max(0, int64(bytes.Count(line, []byte("\t"))-8))
	case len(line) > 0 && line[0] != '#':
		w.records++
	}
}

func (w *whole) sam(line []byte) {
	if len(line) == 0 || line[0] != '@' {
		w.records++
		return
	}
	w.named(line)
	if i := bytes.Index(line, []byte("\tSM:")); i > 0 && bytes.HasPrefix(line, []byte("@RG")) && len(w.seen) < 100_000 {
		name, _, _ := bytes.Cut(line[i+4:], []byte("\t"))
		w.seen[string(name)] = true
		w.samples = int64(len(w.seen))
	}
}

func (w *whole) fasta(line []byte) {
	if len(line) > 0 && line[0] == '>' {
		w.records++
		w.named(line)
		return
	}
	for _, c := range line[:min(len(line), 200)] {
		w.bases++
		if oneOf(c&^0x20, "EFILPQZ") {
			w.residues++
		}
	}
}

func (w *whole) fastq([]byte) {
	if w.phase++; w.phase == 4 {
		w.phase = 0
		w.records++
	}
}

func (w *whole) genotypes(line []byte) {
	if len(line) > 0 && line[0] != '#' {
		w.records++
	}
}

func (w *whole) hl7(line []byte) {
	if bytes.HasPrefix(line, []byte("MSH|")) {
		w.records++
	}
}

// humanWords and otherWords tell species in names of sequences. The three
// numbers are the length of chromosome 1 in the human reference genomes.
const (
	humanWords = "homo sapiens|homo_sapiens|human|hg18|hg19|hg38|grch37|grch38|chm13|248956422|249250621|248387328|_homo|hla-"
	otherWords = "sars-cov-2|coronavirus|influenza|escherichia|salmonella|mycobacterium|plasmodium|mus musculus|grcm|drosophila|arabidopsis|oryza|triticum|zea mays|saccharomyces|danio|bos taurus|sus scrofa|gallus"
)

// named notes which species a line is about, while nothing human was named.
func (w *whole) named(line []byte) {
	if w.human {
		return
	}
	low := strings.ToLower(string(line[:min(len(line), 400)]))
	for word := range strings.SplitSeq(humanWords, "|") {
		if strings.Contains(low, word) {
			w.human = true
			return
		}
	}
	for word := range strings.SplitSeq(otherWords, "|") {
		if w.other == "" && strings.Contains(low, word) {
			w.other = word
		}
	}
}

// read counts the records of a file of lines; a line may be of any length.
func (w *whole) read(ctx context.Context, r *bufio.Reader) error {
	if w.binary {
		w.records = 1
		return nil
	}
	long := false
	for n := 0; ; n++ {
		if n%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		line, err := r.ReadSlice('\n')
		if !long {
			w.line(w, bytes.TrimRight(line, "\r\n"))
		}
		if long = errors.Is(err, bufio.ErrBufferFull); err == nil || long {
			continue
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		return fmt.Errorf("read: %w", err)
	}
}

// sure is how likely the file is about people, and why.
func (w *whole) sure() (float64, phrase) {
	form := phrase{"file", []any{label(w.format)}}
	switch {
	case w.kind != "genetic":
		return 0.97, form
	case w.human:
		return 0.97, phrase{"species", []any{label("human_genome")}}
	case w.other != "" || w.residues*20 > w.bases && w.bases > 0:
		return 0.3, form
	case w.format == "vcf" && w.samples == 0:
		return 0.4, form
	}
	return 0.65, form
}

// report puts a whole file into the form of a table with one column.
func (w *whole) report(t *table) *Report {
	rep := &Report{File: t.name, Rows: w.records, Warnings: []string{}, lang: t.opts.Lang}
	confidence, why := w.sure()
	c := Column{Name: "records", Type: "text", Values: w.records, Distinct: w.records, Classes: []Finding{}}
	if w.binary {
		c.Type = "binary"
	}
	classes := map[string]float64{}
	k := t.lex.kind(w.kind)
	for class := range classesOf(k) {
		c.Classes = append(c.Classes, Finding{class, k.id, confidence, why.in(t.opts.Lang)})
		classes[class] = confidence
	}
	rep.Columns = []Column{c}
	if confidence < t.opts.Threshold {
		rep.Subjects.Basis = say(t.opts.Lang, "basis_none")
	} else {
		rep.Subjects = w.people(t.opts.Lang)
		rep.Sensitive = rep.Subjects
		rep.Sensitive.Basis = say(t.opts.Lang, "basis_sensitive")
	}
	rep.Facts = t.facts(rep, classes)
	if w.kind == "genetic" && !w.human {
		rep.warn("species")
	}
	return rep
}

// people bounds whom the file is about.
func (w *whole) people(lang string) Count {
	if w.samples > 0 {
		return Count{Min: 1, Max: w.samples, Estimate: w.samples, Exact: w.samples == 1, Basis: say(lang, "basis_samples")}
	}
	n := max(1, w.records)
	return Count{Min: 1, Max: n, Estimate: 1, Exact: n == 1, Basis: say(lang, "basis_records")}
}
