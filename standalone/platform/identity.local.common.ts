/**
 * The passwords that guessers try first: from known leaks, the most common ones to which people add a digit or a dot,
 * and all with ten characters and more. From @zxcvbn-ts/language-common 4.1.3 (MIT), without the coarse ones. In
 * alphabetical order. Only identity.local.weak.ts uses it.
 */
export const commonPasswords: ReadonlySet<string> = new Set(
  `
0000000000d 0000000000o 000777fffa 0102030405 010203040506 01234567890 012345678910 0123654789 014702580369
0147258369 0147852369 0147896325 0192837465 01telemike01 0987654321a 0cdh0v99ue 0o9i8u7y6t 1020304050 102030405060
1029384756 1029384756q 10293847qp 10987654321 1111111111zz 1111122222 11111aaaaa 1112131415 111222333000
111222333444555 111222333a 1122112211 1122334455 112233445566 1123581321 1133557799 1212312121 1213141516
1223334444 122333444455555 123123123a 123123123q 123123a 123123qweqwe 1232323q 123321123321 123321456654 123321q
123321qweewq 1234509876 1234554321 1234554321a 1234554321q 1234562000 12345654321 123456654321 12345672000
123456782000 1234567887654321 123456789. 1234567890 12345678900 123456789000 12345678900987654321 12345678901
123456789012 1234567890987654321 1234567890a 1234567890d 1234567890m 1234567890o 1234567890p 1234567890q
1234567890qaz 1234567890qw 1234567890qwe 1234567890qwerty 1234567890s 1234567890w 1234567890z 1234567890zzz
1234567891 12345678910 123456789101 12345678912 123456789123 1234567892000 12345678987654321 1234567899
123456789987654321 123456789a 123456789aa 123456789abc 123456789as 123456789asd 123456789b 123456789c 123456789d
123456789e 123456789f 123456789g 123456789i 123456789j 123456789k 123456789l 123456789m 123456789n 123456789o
123456789p 123456789q 123456789qaz 123456789qq 123456789qqq 123456789qw 123456789qwe 123456789qwer 123456789qwerty
123456789r 123456789s 123456789t 123456789v 123456789w 123456789x 123456789y 123456789z 123456789zx 123456789zxc
123456789zz 12345678qwe 1234567a 1234567q 1234567qwertyu 123456a 123456aa 123456k 123456q 123456qwer 123456qwert
123456qwerty 123456z 12345a 12345abcde 12345asdfg 12345q 12345qwert 12345qwerty 12345trewq 12345zxcvb 1234abcd
1234qwe 1234qwer 1234qwerasdf 1234qwerasdfzxcv 1234qwerty 1236547890 123654789a 123abc 123asd 123hfjdk147 123qaz
123qwe 123qwe123 123qwe123qwe 123qwe456rty 123qweasd 123qweasdzx 123qweasdzxc 123qwerty123 123zxc 12qw34er56ty
12qwaszx 132forever 1346798520 1357908642 1357924680 1357997531 1472583690 147258369a 159753159753 1597532486
159753456852 17171717aa 1928374655 1958proman 1986irachka 19952009sa 19mtpgam19 1a2a3a4a5a 1a2b3c 1a2b3c4d
1a2b3c4d5e 1a2s3d4f5g 1a2s3d4f5g6h 1pass1page 1passwor 1q2q3q4q5q 1q2w3e 1q2w3e4r 1q2w3e4r5t 1q2w3e4r5t6y
1qa2ws3ed4rf 1qa2ws3ed4rf5tg 1qaz2wsx 1qaz2wsx3edc 1qaz2wsx3edc4rfv 1qazwsxedc 1qazxsw2 1qazxsw23edc
1qazxsw23edcvfr4 1qwertyuiop 1z2x3c4v5b 23176djivanfros 2468013579 26429vadim 2dumb2live 31217221027711 3141592654
3216732167 32615948worms 38gjgeuftd 3f3fpht7op 3rjs1la7qe 3syqo15hil 413276191q 41d8cd98f00b 4294967296 42qwerty42
4815162342 4815162342a 4815162342lost 4815162342q 4904s677075 4runner 51051051051 541233432442 5432112345
5544332211 59382113kevinp 5hsu75kpot 5t4r3e2w1q 671fsa75yt 7418529630 742617000027 7777755102q 7894561230
789456123a 7elephants 7jokx7b9du 7ugd5hip2j 80070633pc 80637852730 8096468644q 80988218126 87e5nclizry 88002000600
89015173454 89032073168 89172735872 89211375759 89231243658s 89600506779 89876065093rax 8j4ye3uz 8phrowz622
8phrowz624 9085084232 9085603566 9293709b13 9638527410 987654321a 987654321z 989244342a 9988776655 999111999q
9z5ve9rrcz a12345 a123456 a1234567 a123456789 a1234567890 a1a2a3a4a5 a1b2c3 a1b2c3d4 a1b2c3d4e5 a1s2d3f4 a1s2d3f4g5
a1s2d3f4g5h6 a3eilm2s2y a987654321 aa123456789 aaa111 aardvark abc123 abc123456789 abcd1234 abcde12345 abercrombie
aberdeen abgrtyu abigail abracadabra abrakadabra absolutely access access14 accord account accountbloc accounting
achilles action active adgjmptw adidas admin18533362 administrator adrenaline adrian aezakmi afghanistan africa
afrika2002 agent007 aggies aikido airborne airbus airforce airplane ajcuivd289 ajnjuhfabz alabama alabama123 alaska
albert alberto alejandr aleksander aleksandr aleksandra alessandra alessandro alexande alexander alexander1
alexandr alexandra alexandra1 alexandria alexis alfred alicia aliens alinaalina alison allahuakbar allison alpha1
alphaomega alpine alternative always alyssa am4h39d8nh amadeus amadeusptfcor amanda amateur amazon ambassador
amber1 amelia america american amsterdam amsterdam1 an83546921an13 anakin anarchy anastasia anastasija anastasiya
anderlecht anders anderson andrea andreas andrei andrew andrew1 andrewjackie andrey andrey1992 anfield angel1
angela angelangel angelica angelina angelo angelochek angelofwar angels animal animal2000 annette antananarivu
anthony anthony1 antichrist antonio anubis anything apache apocalypse apokalipsis apollo apollo13 apple1 apples
applesauce aquarius aragorn archer archie area51 arizona armageddon arnold artemartem arthur artist asd123 asdasd
asdf123 asdf1234 asdfasdf asdfg12345 asdfgh asdfgh123456 asdfghj asdfghjk asdfghjkl asdfghjkl1 asdfghjkl123 asdfjkl
asdzxc ashley ashton aspirine assassin astalavista asterix astonmartin astonvilla astros athena atlanta atlantic
atlantis atomic attack auburn auckland2010 audrey august aurora aussie austin australia australia1 autumn avalon
avatar avenger avrillavigne awdrgyjilp awesome awo8rx3wa8t azamat azerbaijan azerty azertyuiop azsxdc azsxdcfv
azsxdcfvgb azwebitalia babemagnet babies babyboy babydoll babygirl babylon babylon5 badboy badger badnaamhere
baggins bailey baller bambam banana bananas bandit bangkok bangladesh banshee barbara barbarossa barbie barcelon
barcelona barkley barney baseball baseball11 baseball12 basket basketba basketball basketball1 batman batman1
battle battlefield baxter beagle bearbear beatles beatrice beautiful beautiful1 beauty beaver beavis beckham
beefcake beetle belinda bender benjamin bennett benson bentley berezuckiy berlin bernadette bernard bernie bertha
bestfriend bethany beverly bianca bicycle bigballs bigboy bigdaddy bigdog bigfoot bigger biggie bigguy bigmac
bigman bigmoney bigone bigred billie billybob billyboy birdie birdman birmingham birthday birthday10 birthday100
birthday21 birthday26 birthday299 birthday54 biscuit bishop biteme blabla black1 blackberry blackcat blackdog
blackhawks blackheart blackhorse blackie blackjac blackman blackmetal blacks blackwhite blacky bladerunner blades
blahblah blaster blazer blessed blingbling blink182 blizzard blonde blondes blondie bloody bltynbabrfwbz blue123
blue22 bluebird blueblue bluedevils bluedragon blueeyes bluemoon bluesky bobafett bobbie bobbob bobcat boeing
bogdan bohica bollocks bollox bomber bond007 bondage bondarenko bonehead bonita bonjour bonnie booger boogie boomer
boredboi4u bossman boston bottom bowler bowling bowser boxing boy4u2ownnyc bpgjldsgjldthnf bradford bradley brandi
brando brandon brandon1 brandy brasil braveheart braves brazil breakdance breast breeze brenda brendan brianna
bridge bridget britney brittany broken bronco broncos brooke brooklyn brooks brother brothers brownie browns
brucelee brucewayne bruins brutus bryant bubba1 bubbas bubble bubbles buckeye buckeyes buddha buddy1 budlight
budman buffalo buffett bugger bulldog bulldogs bullet bullwinkle bunghole burger burton business businessbabe
buster buster1 butler butter butterbean butterfl butterfly butterfly1 butthead buttons byajhvfnbrf byteme
c43dae874d c43qpul5rz cactus cadillac caesar caitlin calculator caliente californ california california1 callie
callofduty calvin camaro camelot camels camera cameron camille campbell canada cancel cancer candyman cannon
cannondale cantona capital capone captain cardinal carlos carlton carmen carolina caroline carolyn carpet carrie
carrot carson carter cartman cartoon casablanca caserta casey1 casino casper cassidy cassie castle catalina catch22
catdog caterpillar catfish catherin catman cavalier ccbill cdtnkfyf cegthgegth cegthgfhjkm celeste celica celine
celtic celtic1888 celtics center central cessna cfkfvfylhf cgtwbfkbcn challenger champion champs chance chandler
change changeme charger chargers charles charleston charlie charlie1 charlie123 charlott charlotte charlton charly
charmed cheburashka cheerleader cheerleaers cheers cheese cheeseburger cheesecake chelsea chelsea1 cherokee cherry
cheryl chessmaster chester chesterfield chevelle chevrole chevy1 cheyenne chicago chichi chicken chicken123
chickenwing101 chicks chiefs children chipper chocolat chocolate1 chopper chris1 chrisbrown chrissy christ christia
christiaan christian christian1 christin christine christop christophe christopher christopher1 christy chronic
chubby chucky church cincinnati cinderella cjdthitycndj cjkysirj cjkywt claire clancy clarence classic claude
claudia clayton clifford clinton clitoris clover clubpenguin cnfnbcnbrf cnjvfnjkju cocacola coffee collection
colleen college collins colombia colorado colors colt45 coltrane columbia columbus combat123654 comicbookdb
comicbooks command commando commercial compaq compatible computador computadora computer concrete condor confidence
connect connection conner connie connor conrad constantin constantine construction consumer content contortionist
contrasena control controller cookie cookies cooldude cooler coolio coolman cooper coorslight copenhagen copper
corona corperfmonsy corvette cosmopolitan cosmos cosworth cotton cougar counterstrike country courtney cowboy
cowboys cowboys1 coyote cracker crazy1 creampie creative cricket crimson cristina cristopher crusader crystal
ctdfcnjgjkm cthulhu cthutq cuddles cupcake curious curtis cutter cvzefh1gkc cxfcnkbdfz cxfcnmt cxfcnmttcnm
cyberonline cyecvevhbr cyjdsvujljv cynthia cytuehjxrf daddy1 dagger daisy1 dakota dallas dalton damian damien
dancer danger daniel daniel1 daniela danielle daniil danila dannyboy darkknight darkness darkside darkstar darling
darren darthvader darwin dashadasha david1 dawson daytona dbrnjhbz dbrnjhjdbx dbrnjhjdyf dctvghbdtn deadhead
deadman deanna debbie december deedee deeppurple deepthroat deerhunter deeznuts defender defiant deftones delete
delta1 deltaforce denali denise dennis denver department depechemode derrick description desert design designer
desire deskjet desperados destiny destruction detroit deutschland devildog devildriver devilmaycry devilmaycry4
devils dexter dfkthbz dfktynbyrf dfvgbh dhjnvytyjub diablo diamond diamond1 diamonds dictionary diesel dietcoke
difference digger digital digitalprodu dilbert dilligaf dillon dingdong director discover disney disneyland
dkflbdjcnjr dkflbvbh dkflbvbhjdbx dkflbvbhjdyf doberman doctor dodger dodgeram dodgers dodgeviper doggie doggystyle
dogman dogphil3650 dollar dolphin dolphins domainlock2005 domination dominic domino donald donaldduck donkey
donkeykong donnie doobie doodle dookie dorothy double doughboy douglas dracula dragon dragon1 dragonball
dragonballz dragonfire dragons dreamer dreams driver drizzt drowssap drpepper drummer dthjybrf dublin ducati dudley
duncan duranduran durango dustin eagle1 eagles eclipse eduard edward efbcapa201 eileen einstein ejaculation
ekaterina ekaterina20 elaine electric electronic element elephant eleven elijah elizabet elizabeth elizabeth1
elliot elliott elsalvador elvira elvis1 elwood emerald eminem emmanuel empire energy engage engine engineer
engineering england english enigma enterpri enterprise ernest escaflowne escape escort esther eternity eugene
evanescence evangelion evelyn everton everything excalibu excellence exigen exigent experience experienced explorer
express extreme eybdthcbntn fabian falcon falcons fallen fallenangel falloutboy family fantasy farmer farside
fartripper faster fatboy fatcat father fatima fatman fcbarcelona felicidade fender fenerbahce fernand fernando
ferrari ferret fetish fgjrfkbgcbc ficken fighter fighting54 filter finalfantasy finger finish fiorentina fireball
firebird firefighter firefly firefox fireman firestarter firstone123 fisher fishing fitness fkg7h4f3v6 fkmnthyfnbdf
fktrcfylh fktrcfylh1 fktrcfylhf fktrcfylhjd fktrcfylhjdbx fktrcfylhjdyf fktrctq flames flamingo flatron fletcher
flight flintstone flipper florence florida flower flowers fluffy flvbybcnhfnjh flyboy flyers foobar football
football12 football123 fordf150 forest forever forget forgot formatters formula formula1 forrest fortuna fossil
foster foundation foxtrot france frances francis franco frank1 frankie franklin franky freaks freaky freckles
freddie freddy frederic frederiksberg fredfred freedom freedom1 freelancer freeman freeuser french friday friend
friends friendship friendster frogger froggy froinlaven fromvermine front242 frontier frosty frozenfish fufnfrhbcnb
function funtime fusion future fyfcnfcbz fyfnjkmtdyf fylhtq fynfyfyfhbde gabrie gabriel galatasara galatasaray
galaxy galina galore gambit gamemaster gandalf gangbang gangbanged gangsta gangster garbage garcia garden garfield
garrett gatekeeper gateway gateway1 gators gblfhfcbyf gbpltw geheim gemini general generation genesis genius george
georgetown georgia gerald gerard gerasimova german germany geronimo getsome gettysburg gfhfcjkmrf gfhfvgfvgfv
gfhjkm gfhjkmgfhjkm ghbdtn ghbdtnbr ghbdtndctv ghbdtnghbdtn ghbdtngjrf ghbdtnrfrltkf ghhh47hj764 ghhh47hj7649
ghjcnbnenrf ghjcnbvtyz ghjcnj ghjcnjabkz ghjcnjgbpltw ghjcnjgfhjkm ghjcnjghjcnj ghjcnjnfr1 ghjcnjqgfhjkm
ghjcnjrdfibyj ghjcnjrdfif ghjrehfnehf ghjrjgtyrj ghjuhfvbcn ghostrecon ghostrider giants gibson gilbert gillian
ginger giovanni girlfriend gizmo1 gizmodo gjikbdctyf gjkbyf gjkysqgbpltw gjytltkmybr global gloria gn56gn56 goblin
goblue goddess godisgreat godsmack godzilla gofish goforit goldberg golden goldfinger goldfish goldie golfball
golfer golfing goober good123654 goodbye goodfellas goodluck goodmorning goodtime google gopher gordolee85 gordon
gordon24 gorilla gotcha gothic gracie graham grandma grandmaster grandorgue granny grasshopper grateful greedisgood
green1 greenday greengreen greenhouse greenlantern gregory gremlin grendel griffey griffin grizzly groovy
groupd2013 grover grumpy gthtcnhjqrf gthtrhtcnjr gtnhjpfdjlcr guardian guinness guitar gundam gunner gunslinger
gustav gxlmxbewym gy3yt2rgls hacker hailey halflife hamburg hamilton hamlet hammer hammers hammertime hamster
handsome hannah hannibal hansolo happy1 hardcore harder hardon hardwareid harley harley1 harmony harold harris
harrison harrypotter harvey hastings hawaii hawkeye hayden hayley hd764nw5d7e1vb1 headhunter hearts heather
heather1 heaven heavymetal hector hedimaptfcor helena helicopter hellfire hello1 hello123 hellohello hellokitty
hellothere helloworld hellraiser helpme hendrix hentai herbert herbie hercules herman hermes hershey hesoyam
hesoyam123 hidden highland highlander hijodeputa hilton hiphop history hitman hjvfirf hobbes hobbit hockey holden
holiday holland hollister1 hollywoo hollywood1 holmes homer1 homers homerun honda1 hondacivic hondas2000 hongkong
hooker hooters hoover horndog hornet horney horses hotboy hotdog hotrod hotstuff hottie houses housewifes houston
howard hshfd4n279 htubcnhfwbz hudson hummer hungry hunter hunter1 hunting hurrican hurricanes husker huskers
hustler hypnodanny iaapptfcor iampurehaha2 ibanez icecream iceman iddqdiddqd iddqdidkfa iforgot iguana ihateyou
illuminati ilovegirls ilovejesus ilovemusic ilovemyfamily ilovemylife ilovemyself iloveu iloveyo iloveyou
iloveyou11 iloveyou12 iloveyou123 imagination imagine immortal impala imperial impossible incredible incubus
independent indian indiana indians indigo infantry inferno infiniti infinity information ingodwetrust insane
insertions inside installdevic installsqlst installutil integra intelinside intelligence interacial intercourse
intermilan international internet intrepid ireland irish1 ironmaiden ironman isabel isabella isabelle
iseedeadpeople island israel italia ivanov iverson iwantu j3qq4h7h2v jackal jackdaniels jackie jackoff jackson
jackson1 jacqueline jaguar jamaica james1 jamesbon jamesbond007 jammer janice janine january jasmin jasmine jason1
jasper javier jediknight jedimaster jeffrey jennie jennifer jenny1 jeremiah jeremy jericho jerome jersey jessica
jessica1 jessie jester jesus1 jesuschris jesuschrist jesusislord jesussaves jetbalance jethro jigei743ks jimandanne
jimbob jimmy1 jlbyjxtcndj joanna joanne joejoe john316 johnjohn johnny johnson jokerjoker jonathan jordan jordan1
jordan23 joseph joshua jrcfyf juancarlos judith juggernaut julian juliet julius jumper jungle junior jupiter
justdoit justforfun justice justin justinbiebe justinbieber justine justme juventus jxfhjdfirf k123456789 kaiser
kaktus kaliningrad kamehameha kamelia2011 kamikaze kangaroo kanmax1994 kansas karate karina kasper katana katerina
kathleen kathryn katrin katrina kawasaki kazakhstan kbnthfnehf kd189nlcih keeper kelley kelly1 kelsey kennedy
kenneth kentucky kenwood kermit kevin1 keyboard keystone kicker killer killer1 killme kimberly kingdom kingfisher
kingkong kingpin kingston kirill kisses kissme kitkat kitten kitty1 kittycat kl?benhavn klapaucius klaster
knickerless knicks knight knights kobebryant kodiak kolobok konstantin kotenok kramer kravchenko krishna kristen
kristi kristin kristina kristopher kryptonite kudos4ever kurtcobain kwiatuszek labrador labtec lacrosse ladies
ladybug ladyffesta laguna lakers lamborghini lamborgini lancelot lancer lansing laptop larisa lasvegas latino
lauren laurie lawrence lawyer leader leather leavemealone ledzep ledzeppelin left4dead2 legacy legend legion
legolas lemons lennon leonard leonardo leopard leslie lespaul lestat lester letmein letmein1 letmein2 letmeinnow
letsgo lexmark lfplhfgthvf lhbjkjubz2957704 liberty licker lickit lickme lifehack lifeisgood lifetime lighthouse
lightnin lights lightsaber limpbizkit lincoln lindsay lindsey linkinpark liquid lissalissa little littlebear
littlegirl littleminge liverpoo liverpool liverpool1 liverpoolfc livestrong lizard lizzie lkjhgfdsazx lobster
lockerroom logitech lol123 lolita lollipop lollol lololyo123 london lonely lonestar lonewolf longhorn looker
looking loploprock lorenzo lorraine losangeles lost4815162342 lotrfotr34 louise loulou loveforever loveislife
loveit lovelove lovely loveme loverboy lovers loveyou lovezp1314 loving lowrider lp2568cskt lsia9dnb9y luansantana
lucifer lucifer666 lucky1 lucky7 luckycharm luckydog ludwig lumberjack luojianhua luther lvbnhbq lytghjgtnhjdcr
lzhan16889 m6cjy69u35 macdaddy machine madagascar madagaskar madden maddie maddog madison madman madmax madness
madonna madrid maestro maggie magic1 magical123 magnolia magnum magnus maiden mailcreated5240 mailman makaveli
maksim malcolm malibu mallard management manager manchest manchester manchester1 mandarinka mandingo mandragora
mangust6403 maniac manson manuel manutd mapet123456 mapleleafs maprchem56458 marathon marcel marcus margaret
margarita mariah marian marilyn marina marine mariners marines marino marion marissa market markhegarty markus
marlboro marley marlin marshall martha martin martina martinez martini marvel marvin maryjane maryland mashamasha
massimiliano massive master master1 masterbaiting masterbate masterbating mastercard masterchief mastermind masters
masturbate masturbation matchbox20 matematica matematika mathematics matilda matrix matthew matthew1 mattylad10
mature maurice maurolarastefy maverick maxima maximilian maximus maxine maxmax maxwell mayday maynard meatball
mechanical meditation megadeth megaman meghan melanie melinda melissa melissa1 melody melvin member memphis
mercedes mercury meridian merlin mersedes metallic metallica metallica1 method metropolis mevefalkcakk mexico
michael michael1 michael123 michaela michaeljackson michel michele michelle michigan mickey mickeymouse microlab
microphone microsof microsoft midnight mighty miguel milano military millennium miller millerlite millertime millie
million millionaire milton minecraft minecraft123 minhasenha minicooper minnesota_hp minnie miracle mirage miranda
mission mississippi mister mistress mitchell mitsubishi mobile mollie molly1 moloko molson momoney monday money1
moneymaker moneymoney moneys mongoose monica monika monique monitor monkey monkey1 monkeybutt monkeys monopoly
monroe monster montana montecarlo montenegro montgom240 montgomery montreal moocow mookie moomoo morgan
morganstanley morpheus morris morrison mortalkombat moscow mostwanted motdepasse mother motherlode motorcycle
motorola mountain mozart msorcloledbr muffin mulder multimedia multiplelo multiplelog munchkin muppet murcielago
murphy murray muscle mushroom musiclover musicman mustang mustang1 mustangs mylove myself mystery mystic nadine
napoleon naruto nascar nastya nastya1995 nastya1996 nastya2010 nastyanastya natali natalia natalie natasha
natasha123 nathalie nathan national naughty naughtyboy ncc1701 ncc1701a ncc1701d ncc1701e nccpl25282 nebraska
necromancer necronomicon needforspeed nellie nelson nemesis nemvxyheqdd5oqxyxyzi neptune network networkingpe
nevada neveragain nevergiveup neverwinter newlife newman neworleans newport newproject2004 newton newyork
newzealand nfnmzyf nhecsyfujkjdt nhfdvfnjkju123 nhfycajhvths nicholas nicola nicolas nicole nightcrawler nikita
nikita1998 nikita2000 nikolaevna nimrod niners nintendo nintendo64 nipple nipples nirvana nissan nissan350z nofear
nokia6230i nokiadermo nolimit nondriversig noodle noodles nookie norman norton nostradamus nothing nottingham
november nthvbyfnjh nuaddn9561 nugget nuttertools nylons nymets oakland oakley obiwan oblivion oc247ngucz october
odessa office ohyeah oicu812 oilers oklahoma oksana olcrackmaster oldman oldsmobile olegnaruto oliver olivia omega1
omgkremidia onelove onetwothree online ontherocks opensesame openup oracle orange oranges oregon orioles orlando
oscar1 osiris outlaw overlord oxford p0o9i8u7y6 pa55w0rd pa55word pacific packard packers pacman painkiller
paintball1 painter pakistan palace paladin palmer pamela panama panasonic pancho pandemonium pandora pantera
panther panthers panties pantyhos panzer paradise paradox paraklast1974 parker parliament parola parolparol parrot
pascal pass123 passat passion passmaster passport passtrader passw0rd passwor passwor1 password password00
password01 password1 password10 password11 password12 password123 password1234 password13 password21 password22
password23 password69 password99 passwordstandard passwort patches pathfinder patricia patrick patrick1 patriot
patriots patton pauline pavilion payton peacemaker peaches peanut peanutbutter peanuts pearljam pebbles peekaboo
peewee pegasus pencil penelope penetrating penetration penguin penguins pentium people pepper peppermint pepsi1
percussion perfect perfection performance performing personal pervert peter1 peternorth peterpan peters peugeot
peugeot406 phantom phezc419hv philadelphia philip philippines philips phillies phillip philly philosophy phoebe
phoenix phoenix1 photos picard picasso pickle pickles picture pierre piglet pikachu pimpin pineappl pineapple1
pinkfloy pioneer pirate pirates pistol pitbull pittsburgh planet plastic platinum playboy player playground
playstation playstation2 playstation3 playtime please pleasure plumber plymouth poison pokemon pokemon1 pokemon123
polaris police polina polniypizdec0211 polniypizdec110211 polopolo09 polska poncho pontiac poohbear pookie pooper
poopie poopoo popcorn popeye porkchop porsche porsche9 porsche911 porter portishead portland portsmouth portugal
possum postal postov1000 potato potter powder power1 powerpower powers precious predator prelude premiumcash
presario presidente preston pretty prettygirl primetime21 primus prince princes princess printer prisonbreak
private privet prodigy production professional programmer prometheus prosperity protection psychnaut1 psycho
ptybnxtvgbjy puertorico pufunga7782 pumpkin punisher punkin punkrock punksnotdead puppies purple putter pyramid
python q12345 q123456789 q1234567890 q1q2q3q4q5 q1w2e3 q1w2e3r4 q1w2e3r4t5 q1w2e3r4t5y6 q1w2e3r4t5y6u7
q1w2e3r4t5y6u7i8 q1w2e3r4t5y6u7i8o9p0 qawsed qawsedrf qawsedrftg qawsedrftgyh qaz123 qaz123wsx456 qaz26101778
qazqaz qazwsx qazwsx123 qazwsx1234 qazwsx12345 qazwsxed qazwsxedc qazwsxedc1 qazwsxedc12 qazwsxedc123 qazwsxedcrfv
qazwsxedcrfvtgb qazwsxqazwsx qazxsw qazxswedc qazxswedc123 qazxswedcvfr qpwoeiruty qq123456789 qqq111 quality
quant4307s queenas8151 quicksilver quiksilver qwaszx qwaszxerdfcv qwe123 qwe1234567 qwe123qwe123 qweasd qweasdzxc
qweasdzxc1 qweasdzxc123 qweqwe qwer1234 qwerasdf qwerasdfzxcv qwert123 qwert12345 qwert54321 qwertasdfg qwertgfdsa
qwerttrewq qwerty qwerty1 qwerty12 qwerty123 qwerty1234 qwerty12345 qwerty123456 qwerty123456789 qwerty2010
qwertyasdfgh qwertyu qwertyu123 qwertyui qwertyuio qwertyuiop qwertyuiop1 qwertyuiop10 qwertyuiop123
qwertyuiop12345 qwertyytrewq rabbit racecar racerx rachel racing rafael ragnarok raider raiders raiders1 rainbow
raistlin rammstein rammstein1 ramona randall random ranger ranger1 rangers rangers1 raptor rascal rasdzv3 raven1
ravens raymond rbhbkk reagan reality realmadrid reanimator reaper rebecca rebels red123 redalert redbull reddog
redemption redhead redhot redman redneck redrum redskins redsox redwings reggie regina remember renegade rescue
research residentevil respublika retard revelation review revolution rfcgthcrbq rfgecnfcerf rfhfrfnbwf rfhfvtkmrf
rfkmrekznjh rfnfcnhjaf rfnfgekmnf rfnthbyf rfnthbyf1988 rfrfirf rhbcnbyf rhbcnbyjxrf rhfcyjzhcr rhfvfnjhcr rhonda
ricardo richard richard1 richardson richie richmond ripper riverplate rjhjkmbien rjirfrgbde rjntyjr rjycnbnewbz
rjycnfynby rkfdbfnehf roadrunner robbie robert robert1 roberto roberts robinson rockbottom rocker rocket rockets
rockhopper rockon rockstar rocky1 rodney roflcopter rogers roland roller rolltide romanroman romashka rommel ronald
ronaldinho ronaldo ronnie rookie rooster rootbeer roscoe rosebud rosemary rotten rottweiler roxanne rubber
runescape1 runner rush2112 ruslan russell russia russian rustam rusty1 s123456789 s456123789 sabbath sabina sabine
sabrina sacramento safety sagittarius sailboat sailing sailor sailormoon saints sakura salamander salamandra salmon
samantha sammie sammy1 sampson samson samsung samsung123 samuel samurai sanandreas sanchez sandiego sandman sandra
sanfrancisco santana santiago santos sapphire saqartvelo sarah1 sasha1 sasha12345 sashasasha satan666 sataniv1993
satisfaction saturn saun24865709 savage savannah scandinavian scarface scarlet scarlett school schoolgirlie
schumacher scooby scoobydo scooter scooter1 scorpio scorpion scotch scotland scottie scotty scoubidou2 scoubidou6
scrappy scream scruffy scully sdh686drth search seattle sebastia sebastian sebastian1 secret security seemnemaailm
seinfeld select selena selfok2013 seminole semperfi sentinel septembe september serega serena serendipity serenity
sergei sergey sergio sersolution server service service321 sesame sevastopol seven7 shadow shadow1 shadow1212
shaggy shakespeare shalom shaman shamanking shamrock shaney14 shannon shaolin sharks sharon shasta shaved shazam
sheena sheila shelby shelley shelly shemale sherlock sherman sherry shevchenko shiloh shirley shogun shooter
shopping shorty shotgun showme showtime sidewinder sidney siemens sierra silenthill silver silverstone silvia
simferopol simone simple simpleplan simpson simpsons sinatra singer single sinner sirius sister sithlord skateboard
skater skeeter skiing skinny skipper skippy skittles skorpion39 skyline skywalke slappy slapshot slayer sleepy
slipknot slipknot666 smallville smiles smiley smitty smoker smokey smokin smooth smudge snakes snapper snatch
snickers sniper snoopy snowball snowman snuggles snusmumrik sobaka soccer soccer1 socrates softball software
sojdlg123aljg soldier soleil solidsnake solomon somethin something1 sommer sonyericsson sooner sooners sophia
sophie soso123aljg southern spam967888 spanking spankme spanky sparky spartak spartak1922 spartan spartan117
spartans speaker special specialinsta spectrum speedy spencer spider spiderma spiderman spiderman1 spiderman3
spidey spirit spitfire splash spooky sports spring springer springfield sprint sprite spunky spyder squirrel squirt
srinivas stacey stalingrad stalker stalker123 stallion standard stanley star69 starbuck starcraft stardust starfish
stargate startrek starwars station stealth steamforums steelers stefan stella stephani stephanie stephen sterlin
sterling steve1 steven stevie stewart stickdaddy77 sticky stimpy stinger stingray stinky stinkyfinger stocking
stomatolog stonecol stonehenge stoner stones stormy stranger stratocaster strawberry street streetball strider
strike striker stripper strong stronghold stuart student studio studioworks studmuffin stupid subaru sublime
subscriber success summer summer1 summertime summit sundance sunday sundaypunch sunderland sunrise sunset sunshine
super1 super123 superduper superfly superman superman12 superman123 supermanboy supermario supernatural superpuper
supersonic superstar supervisor support surfer surfing sutvsc5ysaa suzanne suzuki svetasveta svetik svetlana
swallow sweden sweetdream sweetheart sweetie sweetpea sweets sweety swimming swinger swingers swordfis swordfish
sydney sylvia syncmaster syracuse system systemofadown t34vfrc1991 table54781 tacobell tacoma tadmichaels tamara
tamwsn3sja tanker tanner tardis target tarheel tarheels tarzan tatiana tattoo tatyana taurus taylor tazman
tdfyutkbjy tdutybq teacher technics techniques techno technology telecaster telefon television tempest temple
tennis tequila teresa terminator terror test123 tester testing testing123 testtest texas1 thailand thanks thankyou
thebeatles thegame thekid theking theman theodore theone therock thomas thomas1 thompson throat thuglife thugstools
thumper thunder thunder1 thunderbird thx1138 ticketmaster tickle tiffany tiger1 tigers tigerwoods tigger timber
timberlake timberland timberwolf timothy tinker tinkerbell tinman tintin titanic titans titleist titties tobias
tokiohotel tolkien tombraider tomcat tomtom topcat topdog topgun topper tornado toronto torres toshiba tottenha
toyota tracey tractor traffic trains trance transam transformer transformers translator travel travis trebor trevor
trfnthbyf tricky trigger trinity tristan triton triumph trixie trojan trojans trombone trooper trouble trucker
trucks truelove trumpet trunks trustno1 trustnoone tucker tuesday tupacshakur turkey turner turtle tweety twilight
twister tyrone ufhhbgjnnth ujkjdjkjvrf ultima ultimate unbelievable uncencored undercover underground undertaker
underworld unforgiven unicorn united universe university unknown unreal usa123 v123456789 vacation vaffanculo
valentin valentina valera valerie valhalla valley vampire vanessa vanhalen vanilla vanyarespekt vectra vegeta
velvet venom121293 verbatim veritas verona veronica veronika vertigo verygoodbot vfhbyf vfhbyfvfhbyf vfhecz
vfhufhbnrf vfhvtkflrf vflfufcrfh vfntvfnbrf vfrcbv vfrcbvrf vfrcbvvfrcbv vfvfgfgf123 vfvfvskfhfve vfvjxrf
vfylfhbyrf victor victoria victory viking vikings viktor viktoria vincent violet viper1 vipers virgin virginia
virtuagirl vision vivian vkontakte vladik vladimir vladimirovna vladislava volkswagen volleyball volume voodoo
vortex voyager vqsablpzla vsjasnel12 vulcan vyjujnjxbt w2dlww3v5p wachtwoord walker walkman555 wallace wallstreet
walnut walter warcraft warhammer warhammer40k warlock warlord warren warrior warriors washington waterloo
watermelon waters watson wazzkaprivet wcrfxtvgbjy weasel weather webmaster websolutions websolutionssu webster
webuivalidat weezer weihnachte weihnachten weihnachtsbau weihnachtsbaum welcome welcome1 welcome123 wellington
wenef45313 werewolf wesley western westham westside whatever whatthehell wheels whiskey whitepower whitney whocares
whosyourdaddy whynot wicked widespread wildcat wildcats william william1 williams willie willis willow wilson
winchester window windows winner winnie winnipeg261 winston winter wisdom wishmaster wizard wolfgang wolfman
wolfpack wolverin wolverine wolverines wolves wombat wonder wonderland wonderwall woody1 wookie wrangler wrestling1
wright wrinkle1 writer writerspace wutang xanadu xavier xfiles xiaoyua123 xpressmusic xtreme yamaha yankee yankees
yankees1 yanshi1982 ybrbnf ybrjkftdbx ybrjkftdyf yellow yfcnzyfcnz yfnfif yfnfitymrf yjdsqgfhjkm yomama yourmom
yvonne z123456789 z1x2c3v4b5 zachary zaphod zaq123 zaq12wsx zaq1xsw2 zaq1xsw2cde3 zaqwsx zaqwsxcderfv zaratustra
zcxfcnkbdf zcxfcnkbdfz zeppelin zidane zipper zjses9evpa zombie zqjphsyf6ctifgu zvezda zx123456789 zxc123
zxcasdqwe123 zxcv1234 zxcvb12345 zxcvbn zxcvbn123456 zxcvbnm zxcvbnm123 zxcvbnm123456789
`
    .trim()
    .split(/\s+/),
)
