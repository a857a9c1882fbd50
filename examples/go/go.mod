module backlog

go 1.19
