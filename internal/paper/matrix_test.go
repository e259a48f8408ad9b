package paper

import (
	"bytes"
	"encoding/xml"
	"io"
	"strings"
	"testing"

	"corridor"
	"corridor/internal/law"
	"corridor/packs"
)

func matrix(t *testing.T, facts corridor.Facts) law.Matrix {
	t.Helper()
	l, err := law.Load(packs.FS())
	if err != nil {
		t.Fatal(err)
	}
	day, err := corridor.ParseDate("2026-11-24")
	if err != nil {
		t.Fatal(err)
	}
	m, err := l.Matrix(corridor.Flow{Date: day, Facts: facts, Assume: "nothing_in_place"}, []string{"CN", "KZ"}, []string{"CN", "KZ"})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestAMatrixShowsTheArticleBehindEachCell(t *testing.T) {
	m := matrix(t, corridor.Facts{"data_classes": []any{"personal"}})
	for lang, want := range map[string][]string{
		"en": {`id="KZ-CN"`, "on personal data and their protection, art. 16(2), 16(3)", "refused", "nothing_in_place"},
		"zh": {`lang="zh"`, "禁止", "《个人数据及其保护法》第16(2)条、第16(3)条"},
		"ru": {`lang="ru"`, "запрещено", "ст. 16(2), 16(3)"},
	} {
		var page bytes.Buffer
		if err := MatrixHTML(&page, m, []string{"data_classes=[personal]"}, lang); err != nil {
			t.Fatal(err)
		}
		for _, w := range want {
			if !strings.Contains(page.String(), w) {
				t.Errorf("%s: %q is missing", lang, w)
			}
		}
		for _, not := range []string{"<script", "http://", "https://", "ZgotmplZ"} {
			if strings.Contains(page.String(), not) {
				t.Errorf("%s: the page is not self-contained: %q", lang, not)
			}
		}
	}
}

func TestAHeatMapIsWellFormed(t *testing.T) {
	var picture bytes.Buffer
	if err := MatrixSVG(&picture, matrix(t, corridor.Facts{"data_classes": []any{"state_secret"}}), nil, "ru"); err != nil {
		t.Fatal(err)
	}
	cells := 0
	for d := xml.NewDecoder(bytes.NewReader(picture.Bytes())); ; {
		tok, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := tok.(xml.StartElement); ok && e.Name.Local == "g" {
			cells++
		}
	}
	if cells != 4 || !strings.Contains(picture.String(), "запрещено") {
		t.Errorf("%d cells:\n%s", cells, picture.String())
	}
}

func TestEveryWordExistsInThreeLanguages(t *testing.T) {
	for key, w := range matrixTexts() {
		if w.EN == "" || w.ZH == "" || w.RU == "" {
			t.Errorf("%s: %+v", key, w)
		}
	}
}

func TestForeignWordsCannotBecomeMarkup(t *testing.T) {
	m := matrix(t, corridor.Facts{"data_classes": []any{"personal"}})
	m.Rows[0][1].Obligations = []string{"</section><script>alert(1)</script>"}
	var page bytes.Buffer
	if err := MatrixHTML(&page, m, []string{"<b>"}, "en"); err != nil {
		t.Fatal(err)
	}
	if s := page.String(); strings.Contains(s, "<script>") || strings.Contains(s, "<b></code>") {
		t.Error("markup from outside stands in the page")
	}
}
