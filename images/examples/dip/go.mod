module dip

go 1.21
