create table person (id integer primary key, name text, age integer, note text);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 20000)
insert into person select i, 'name' || (i * 7919 % 20000), i % 90, hex(i * 31) from n;
create index by_name on person (name);
create index by_age on person (age, name);
select age, count(*), min(name) from person group by age order by 2 desc, 1 limit 5;
select a.name, b.name from person a join person b on a.id = b.id + 1 order by a.name limit 5;
select group_concat(name, '') from (select name from person order by note desc limit 10);
update person set age = age + 1 where id % 3 = 0;
delete from person where id % 7 = 0;
vacuum;
select count(*), sum(age), max(length(note)) from person;
.dump by_none
select nothing from nowhere;
