module corridor/conformance/edc

go 1.26.0
